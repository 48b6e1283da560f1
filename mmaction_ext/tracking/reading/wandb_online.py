"""Reader of the runs on a W&B server, through ``wandb.Api``; asks the network only when called.

One query lists a page of runs with all but their history; the history is read of those runs
alone that changed since the last time (:mod:`mmaction_ext.tracking.reading.snapshots`).
"""

import contextlib
import netrc
import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timezone
from functools import partial
from typing import Any
from urllib.parse import urlparse

from mmaction_ext.errors import InputError, last_line
from mmaction_ext.tracking.reading.rows import Row
from mmaction_ext.tracking.reading.snapshots import Copied, Copier, SourceRun
from mmaction_ext.tracking.reading.wandb_snapshot import EXIT_CODES

#: runs that one query lists; their configs come with them
PAGE_SIZE = 50
#: histories that are read at the same time
CONNECTIONS = 4
#: how often the SDK repeats a query that failed, a few seconds apart
RETRIES = 3
#: W&B's words for the end of a run, and ours
_STATES = {'killed': 'failed', 'preempting': 'running', 'pending': 'running'}


def server_url() -> str:
    """The W&B server that the user has chosen (``WANDB_BASE_URL``, settings files)."""
    if os.environ.get('WANDB_BASE_URL'):
        return os.environ['WANDB_BASE_URL'].rstrip('/')
    import wandb

    settings = wandb.Settings()
    settings.update_from_system_settings()
    return settings.base_url.rstrip('/')


def has_api_key(server: str) -> bool:
    """Whether the environment or ``wandb login`` holds a key for a server; asks nobody."""
    if os.environ.get('WANDB_API_KEY') or os.environ.get('WANDB_IDENTITY_TOKEN_FILE'):
        return True
    try:
        hosts = netrc.netrc(os.environ.get('NETRC')).hosts
    except (OSError, netrc.NetrcParseError):
        return False
    return urlparse(server).hostname in hosts


def connect() -> Any:
    """A ``wandb.Api`` whose key the server has accepted.

    Raises:
        InputError: there is no key, the server is out of reach, or it refuses the key.
    """
    server = server_url()
    if not has_api_key(server):
        raise InputError(f'{server} needs an API key: set WANDB_API_KEY or run `wandb login`')
    os.environ.setdefault('WANDB_ERROR_REPORTING', 'false')
    os.environ.setdefault('WANDB_X_GRAPHQL_RETRY_MAX', str(RETRIES))
    import wandb

    with failures_as_input_errors(f'W&B server {server}'):
        return wandb.Api()


@contextlib.contextmanager
def failures_as_input_errors(subject: str) -> Iterator[None]:
    """Say what the SDK raises, whatever it is, as one sentence about ``subject``.

    Raises:
        InputError: instead of any other exception.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise InputError(f'{subject}: {last_line(error)}') from error


def parse_project(text: str) -> tuple[str, str]:
    """``ENTITY/PROJECT`` as a pair.

    Raises:
        InputError: it is not of that form.
    """
    entity, _, project = text.strip('/').partition('/')
    if not entity or not project or '/' in project:
        raise InputError(f'{text!r} is no W&B project: write ENTITY/PROJECT')
    return entity, project


def list_runs(api: Any, entity: str, project: str) -> Iterator[SourceRun]:
    """Every run of a project, oldest first, a page at a time.

    Args:
        api: see :func:`connect`.
        entity: user or team.
        project: its project.

    Raises:
        InputError: there is no such project, or the server fails.
    """
    with failures_as_input_errors(f'W&B project {entity}/{project} at {server_url()}'):
        # lazily listed, each run would cost a query of its own
        for run in api.runs(f'{entity}/{project}', per_page=PAGE_SIZE, lazy=False):
            yield _source_run(run, entity, project)


def copy_project(entity: str, project: str, copier: Copier) -> Iterator[Copied]:
    """Copy the runs of a project that changed into snapshots.

    Args:
        entity: user or team.
        project: its project.
        copier: where they go, and what they are called.

    Yields:
        What became of each run, as soon as it is written: whatever stops the copying, the
        snapshots that were yielded stay, and copying again goes on with the others. A run that
        cannot be copied is skipped.

    Raises:
        InputError: see :func:`connect` and :func:`list_runs`.
    """
    runs = list(list_runs(connect(), entity, project))
    pool = ThreadPoolExecutor(CONNECTIONS)
    try:
        for run, future in [(run, pool.submit(copier, run)) for run in runs]:
            yield _outcome(run, future)
    finally:
        pool.shutdown(cancel_futures=True)


def _outcome(run: SourceRun, future: Future[Copied]) -> Copied:
    """What became of a run; raises InputError where the server fails, not just this run."""
    try:
        return future.result()
    except InputError as error:
        connect()
        return Copied(run, 'skipped', error.sentence())


def _source_run(run: Any, entity: str, project: str) -> SourceRun:
    created, state = _seconds(run.createdAt), _STATES.get(run.state, run.state)
    return SourceRun(
        place=(entity, project),
        run_id=run.id,
        name=run.name or '',
        group=run.group or '',
        job_type=run.jobType or '',
        state=state,
        read_rows=partial(_read_rows, run),
        config=dict(run.config),
        updated=_seconds(run.heartbeatAt) or created or 0.0,
        row_count=run.historyLineCount,
        url=run.url,
        host=_host(run.config),
        commit=run.commit or '',
        start_time=created,
        exit_code=EXIT_CODES.get(state),
        tags=tuple(getattr(run, 'tags', None) or ()),
        summary=_summary(run),
    )


def _summary(run: Any) -> Row:
    """What W&B says of a run as a whole, without its own entries."""
    found = getattr(run, 'summary_metrics', None) or {}
    return {name: value for name, value in found.items() if not name.startswith('_')}


def _read_rows(run: Any) -> list[Row]:
    """The whole history of a run.

    Attempts that were synced one by one count ``_step`` from 0 again, and a scan goes only as
    far as the last of them: what it lacks is in the history that W&B samples, here all of it.
    """
    count = run.historyLineCount or 0
    with failures_as_input_errors(f'W&B run {run.url}'):
        rows = list(run.scan_history(page_size=10_000, use_cache=False))
        if len(rows) < count:
            rows = max(rows, run.history(samples=count, pandas=False), key=len)
    return rows


def _host(config: Row) -> str:
    environment = config.get('env')
    name = environment.get('host') if isinstance(environment, dict) else None
    return name if isinstance(name, str) else ''


def _seconds(text: str | None) -> float | None:
    """Seconds since the epoch of a UTC time such as ``2026-01-02T03:04:05.678Z``."""
    if not text:
        return None
    whole = datetime.strptime(text[:19], '%Y-%m-%dT%H:%M:%S').replace(tzinfo=timezone.utc)
    fraction = text[19:].rstrip('Z')
    return whole.timestamp() + (float(f'0{fraction}') if fraction.startswith('.') else 0.0)
