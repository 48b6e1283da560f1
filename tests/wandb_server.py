"""A stand-in for the W&B server, on the loopback interface, for the real SDK at the other end.

It speaks what wandb 0.31 says when it logs online, syncs offline runs, reads them back with
``wandb.Api`` and saves workspaces and reports (wandb-workspaces). What it cannot show: rate
limits, the real server's sampling, filters and parquet exports, that it declares silent runs
crashed, and whether the site draws what a view's specification says.
"""

import base64
import contextlib
import gzip
import json
import os
import re
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

ENTITY = 'lab'
API_KEY = 'k' * 40
_OPERATION = re.compile(r'\b(?:query|mutation)\s+(\w+)')
_FILE_STREAM = re.compile(r'/files/([^/]+)/([^/]+)/([^/]+)/file_stream')


@dataclass
class StoredRun:
    """What the server knows about one run: the fields of ``UpsertBucket`` and what follows."""

    entity: str
    project: str
    name: str
    fields: dict = field(default_factory=dict)
    history: list = field(default_factory=list)
    events: list = field(default_factory=list)
    files: dict = field(default_factory=dict)
    summary: str = '{}'
    state: str = 'running'
    exit_code: int | None = None
    beats: int = 0

    def take(self, message) -> None:
        """Apply one message of the file stream."""
        self.beats += 1
        for name, chunk in (message.get('files') or {}).items():
            if name == 'wandb-history.jsonl':
                _place(self.history, chunk)
            elif name == 'wandb-events.jsonl':
                _place(self.events, chunk)
            elif name == 'wandb-summary.json':
                self.summary = _strict(chunk['content'][-1])
        self.state = 'running'
        if message.get('complete'):
            self.exit_code = message.get('exitcode', 0)
            self.state = 'failed' if self.exit_code else 'finished'

    def answer(self) -> dict:
        """The run as a GraphQL node."""
        last = json.loads(self.history[-1]) if self.history else {}
        known = self.fields
        return dict(
            id=_identifier(self),
            projectId='1',
            name=self.name,
            displayName=known.get('displayName') or self.name,
            sweepName=None,
            state=self.state,
            tags=known.get('tags') or [],
            group=known.get('groupName'),
            jobType=known.get('jobType'),
            commit=known.get('commit'),
            readOnly=False,
            host=known.get('host'),
            description=known.get('description'),
            notes=known.get('notes'),
            config=known.get('config') or '{}',
            createdAt='2026-01-02T03:04:05Z',
            heartbeatAt=f'2026-01-02T03:04:{self.beats:09.6f}Z',
            systemMetrics='{}',
            summaryMetrics=self.summary,
            historyLineCount=len(self.history),
            user=dict(name='Some One', username=ENTITY),
            historyKeys=dict(lastStep=last.get('_step', -1), keys={}, sets=[]),
        )


def _place(lines, chunk) -> None:
    offset = chunk.get('offset', 0)
    lines[offset : offset + len(chunk['content'])] = map(_strict, chunk['content'])


def _strict(text) -> str:
    """JSON as W&B answers it: what is no finite number is a string."""
    return json.dumps(json.loads(text, parse_constant=str))


def _identifier(run) -> str:
    text = f'Run:v1:{run.name}:{run.project}:{run.entity}'
    return base64.b64encode(text.encode()).decode()


class WandbServer:
    """The stand-in; use it as a context manager.

    Attributes:
        runs: (entity, project, run id) to :class:`StoredRun`.
        views: id to the variables with which a workspace or report was saved last.
        artifacts: id to the artifact's fields, with the uploaded ``files`` by name.
        operations: names of the GraphQL operations, in the order they came.
        peers: addresses that connections came from.
        unknown: operations that the stand-in cannot answer; a test should find none.
        strays: requests for other servers, which come here because the stand-in is the proxy of
            the :attr:`environment`; a test should find none.
        broken: whether to answer every request with status 500.
    """

    def __init__(self):
        self.runs, self.views, self.artifacts = {}, {}, {}
        self.operations, self.unknown, self.strays, self.peers = [], [], [], set()
        self.broken = False
        self._lock = threading.RLock()
        self._server = ThreadingHTTPServer(('127.0.0.1', 0), self._handler())
        self._server.daemon_threads = True
        self._connections = set()
        self.url = f'http://127.0.0.1:{self._server.server_address[1]}'

    def __enter__(self):
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *error):
        self.die()

    def die(self) -> None:
        """Stop listening and drop every connection."""
        self._server.shutdown()
        self._server.server_close()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.close()

    @property
    def environment(self) -> dict:
        """Environment of a process that is to talk to this server and to nobody else."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith('WANDB_')}
        proxies = dict(HTTP_PROXY=self.url, HTTPS_PROXY=self.url, NO_PROXY='127.0.0.1')
        return dict(
            clean,
            WANDB_BASE_URL=self.url,
            WANDB_API_KEY=API_KEY,
            WANDB_SILENT='true',
            WANDB_ENTITY=ENTITY,
            WANDB_ERROR_REPORTING='false',
            WANDB_MODE='online',
            **proxies,
        )

    def check(self) -> None:
        """Raise unless all requests were known ones, from this machine, to this server."""
        found = (self.unknown, self.strays, self.peers - {'127.0.0.1'})
        if any(found):
            raise AssertionError(f'unknown operations, strays, peers: {found}')

    def run(self, name) -> StoredRun:
        """The one run with an id."""
        [run] = [run for (_, _, found), run in self.runs.items() if found == name]
        return run

    def _handler(server):
        class Handler(_Handler):
            owner = server

        return Handler

    def answer(self, name, query, variables):
        """Data of a GraphQL answer; ``None`` for an operation that is not known."""
        with self._lock:
            self.operations.append(name)
            reply = _REPLIES.get(name)
            if reply is None:
                self.unknown.append(name)
                return None
            return reply(self, variables, query)

    def stream(self, key, message) -> None:
        """Take one message of a run's file stream."""
        with self._lock:
            self.operations.append('file_stream')
            self.runs.setdefault(key, StoredRun(*key)).take(message)

    def store(self, path, data) -> None:
        """Take an uploaded file."""
        kind, _, rest = path.removeprefix('/').partition('/')
        with self._lock:
            if kind == 'artifacts':
                owner, _, name = rest.partition('/')
                self.artifacts[owner]['files'][unquote(name)] = data
            else:
                *key, name = rest.split('/', 3)
                self.runs[tuple(key)].files[unquote(name)] = data


class _Handler(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    owner = None

    def setup(self):
        super().setup()
        self.owner._connections.add(self.connection)
        self.owner.peers.add(self.client_address[0])

    def handle(self):
        with contextlib.suppress(ConnectionError):  # the SDK drops what it no longer needs
            super().handle()

    def finish(self):
        self.owner._connections.discard(self.connection)
        with contextlib.suppress(OSError):
            super().finish()

    def log_message(self, *args):
        pass

    def _body(self) -> bytes:
        body = self.rfile.read(int(self.headers.get('Content-Length') or 0))
        return gzip.decompress(body) if self.headers.get('Content-Encoding') == 'gzip' else body

    def _send(self, status, content) -> None:
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_CONNECT(self):
        self.owner.strays.append(self.path)
        self._send(403, {})

    def do_POST(self):
        body = self._body()
        if not self.path.startswith('/'):
            self.do_CONNECT()
        elif self.owner.broken:
            self._send(500, dict(error='the stand-in is broken'))
        elif self.path == '/graphql':
            self._graphql(json.loads(body))
        elif found := _FILE_STREAM.fullmatch(self.path):
            self.owner.stream(found.groups(), json.loads(body))
            self._send(200, {})
        else:
            self._send(404, {})

    def _graphql(self, request) -> None:
        found = _OPERATION.search(request['query'])
        name = request.get('operationName') or (found[1] if found else '')
        data = self.owner.answer(name, request['query'], request.get('variables') or {})
        errors = {} if data is not None else dict(errors=[dict(message=f'no operation {name}')])
        self._send(200, dict(data=data, **errors))

    def do_PUT(self):
        self.owner.store(self.path, self._body())
        self._send(500 if self.owner.broken else 200, {})

    def do_GET(self):
        if not self.path.startswith('/'):
            self.owner.strays.append(self.path)
        self._send(404, {})


def _viewer(server, variables, query):
    return dict(
        viewer=dict(
            id='VXNlcjox',
            entity=ENTITY,
            username=ENTITY,
            name='Some One',
            email='',
            admin=False,
            flags='{}',
            apiKeys=dict(edges=[]),
            teams=dict(edges=[dict(node=dict(name=ENTITY))]),
        )
    )


def _upsert_bucket(server, variables, query):
    key = (variables.get('entity') or ENTITY, variables.get('project'), variables['name'])
    inserted = key not in server.runs
    run = server.runs.setdefault(key, StoredRun(*key))
    run.fields.update((name, value) for name, value in variables.items() if value is not None)
    run.state = 'running'
    project = dict(id='p1', name=run.project, entity=dict(id='e1', name=run.entity))
    return dict(upsertBucket=dict(inserted=inserted, bucket=dict(run.answer(), project=project)))


def _resume_status(server, variables, query):
    key = (variables.get('entity') or ENTITY, variables.get('project'), variables['name'])
    run = server.runs.get(key)
    bucket = run and dict(
        run.answer(),
        logLineCount=0,
        eventsLineCount=len(run.events),
        historyTail=json.dumps(run.history[-1:]),
        eventsTail=json.dumps(run.events[-1:]),
        wandbConfig='{"t": 1}',
    )
    return dict(model=dict(id='p1', name=key[1], entity=dict(id='e1', name=key[0]), bucket=bucket))


def _create_files(server, variables, query):
    place = '/'.join(variables[name] for name in ('entity', 'project', 'run'))
    files = [
        dict(name=name, uploadUrl=f'{server.url}/storage/{place}/{name}')
        for name in variables['files']
    ]
    return dict(createRunFiles=dict(runID=variables['run'], uploadHeaders=[], files=files))


def _runs(server, variables, query):
    place = (variables['entity'], variables['project'])
    found = [run for run in server.runs.values() if (run.entity, run.project) == place]
    if not found:
        return dict(project=None)
    start = int(variables.get('cursor') or 0)
    end = start + variables.get('perPage', 50)
    edges = [
        dict(node=run.answer(), cursor=str(start + index + 1))
        for index, run in enumerate(found[start:end])
    ]
    if 'config' not in query:
        for edge in edges:
            for name in ('config', 'summaryMetrics', 'systemMetrics'):
                edge['node'].pop(name)
    page = dict(endCursor=str(end), hasNextPage=end < len(found))
    return dict(
        project=dict(
            internalId='1',
            runCount=len(found),
            readOnly=False,
            runs=dict(edges=edges, pageInfo=page),
        )
    )


def _with_run(reply):
    """Answer of a query about one run."""

    def answer(server, variables, query):
        name = variables.get('name') or variables.get('run') or variables.get('runName')
        run = server.runs.get((variables['entity'], variables['project'], name))
        return dict(project=dict(run=run and reply(run, variables)))

    return answer


def _history_page(run, variables):
    rows = [
        line
        for line in run.history
        if variables['minStep'] <= json.loads(line)['_step'] < variables['maxStep']
    ]
    return dict(history=rows[: variables['pageSize']])


def _parquet_history(run, variables):
    return dict(
        parquetHistory=dict(parquetUrls=[], liveData=[json.loads(line) for line in run.history])
    )


def _create_artifact(server, variables, query):
    name = f'artifact{len(server.artifacts)}'
    server.artifacts[name] = dict(variables['input'], state='PENDING', files={})
    return dict(
        createArtifact=dict(
            artifact=dict(id=name, state='PENDING', artifactSequence=dict(latestArtifact=None))
        )
    )


def _manifest(operation):
    def answer(server, variables, query):
        name = variables.get('artifactID') or variables['artifactManifestID']
        place = f'{server.url}/artifacts/{name}/manifest'
        return {
            operation: dict(
                artifactManifest=dict(
                    id=name, file=dict(id='f', uploadUrl=place, uploadHeaders=[])
                )
            )
        }

    return answer


def _artifact_files(server, variables, query):
    edges = []
    for file in variables['input']['artifactFiles']:
        name = file['artifactID']
        edges.append(
            dict(
                node=dict(
                    storagePath=file['name'],
                    uploadHeaders=[],
                    uploadMultipartUrls=None,
                    uploadUrl=f'{server.url}/artifacts/{name}/{file["name"]}',
                    artifact=dict(id=name),
                )
            )
        )
    return dict(createArtifactFiles=dict(files=dict(edges=edges)))


def _commit_artifact(server, variables, query):
    artifact = server.artifacts[variables['artifactID']]
    artifact['state'] = 'COMMITTED'
    return dict(
        commitArtifact=dict(artifact=dict(id=variables['artifactID'], digest=artifact['digest']))
    )


def _client_id(server, variables, query):
    found = [
        name
        for name, artifact in server.artifacts.items()
        if artifact.get('clientID') == variables['clientID']
    ]
    return dict(clientIDMapping=dict(serverID=found[0]) if found else None)


def _upsert_view(server, variables, query):
    inserted = not variables.get('id')
    name = variables.get('id') or base64.b64encode(f'View:{len(server.views)}'.encode()).decode()
    server.views[name] = variables
    view = dict(
        id=name,
        type=variables['type'],
        name=variables['name'],
        spec=variables['spec'],
        displayName=variables['displayName'],
        description=variables['description'],
        updatedAt='2026-01-02T03:04:05Z',
        project=dict(id='p1', name=variables['projectName'], entityName=variables['entityName']),
    )
    return dict(upsertView=dict(inserted=inserted, view=view))


def _views(server, variables, query):
    place = (variables['entityName'], variables['projectName'])
    edges = [
        dict(
            node=dict(
                id=key, name=view['name'], displayName=view['displayName'], spec=view['spec']
            )
        )
        for key, view in server.views.items()
        if (view['entityName'], view['projectName']) == place
        and variables.get('viewName') in (None, view['name'])
    ]
    return dict(project=dict(allViews=dict(edges=edges)))


def _projects(server, variables, query):
    names = sorted(
        {run.project for run in server.runs.values() if run.entity == variables['entity']}
    )
    edges = [
        dict(
            cursor=name,
            node=dict(
                __typename='Project',
                id=name,
                name=name,
                entityName=variables['entity'],
                createdAt='2026-01-02T03:04:05Z',
                isBenchmark=False,
                user=None,
            ),
        )
        for name in names
    ]
    page = dict(__typename='PageInfo', endCursor=None, hasNextPage=False)
    return dict(models=dict(pageInfo=page, edges=edges))


def _project(server, variables, query):
    place = (variables['entityName'], variables['projectName'])
    is_known = any((run.entity, run.project) == place for run in server.runs.values())
    return dict(project=dict(id='UHJvamVjdDox', internalId='1') if is_known else None)


def _artifact_type(server, variables, query):
    return dict(project=dict(artifactType=None))


def _entity(server, variables, query):
    return dict(
        entity=dict(xxhashDigestsEnabled=False, organization=dict(coreWeaveOrganizationId=None))
    )


_REPLIES = {
    'Viewer': _viewer,
    'GetViewer': _viewer,
    'GetDefaultEntity': _viewer,
    'ServerFeaturesQuery': lambda *_: dict(serverInfo=dict(features=[])),
    'UpsertBucket': _upsert_bucket,
    'RunResumeStatus': _resume_status,
    'CreateRunFiles': _create_files,
    'Runs': _runs,
    'Run': _with_run(lambda run, _: run.answer()),
    'RunHistoryKeys': _with_run(lambda run, _: run.answer()),
    'RunFullHistory': _with_run(lambda run, _: dict(history=run.history)),
    'RunParquetHistory': _with_run(_parquet_history),
    'HistoryPage': _with_run(_history_page),
    'UpsertView2': _upsert_view,
    'upsertView': _upsert_view,
    'View': _views,
    'ProjectInternalId': _project,
    'GetProjects': _projects,
    'OrganizationCoreWeaveOrganizationID': _entity,
    'XXHashDigestsEnabled': _entity,
    'CreateArtifact': _create_artifact,
    'CreateArtifactManifest': _manifest('createArtifactManifest'),
    'UpdateArtifactManifest': _manifest('updateArtifactManifest'),
    'CreateArtifactFiles': _artifact_files,
    'CommitArtifact': _commit_artifact,
    'ClientIDMapping': _client_id,
    'FetchArtifactDigestAlgorithm': _artifact_type,
    'ArtifactType': _artifact_type,
}
