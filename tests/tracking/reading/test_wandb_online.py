"""The real SDK on both ends of a stand-in server: logged, synced, read back, tabulated.

What a stand-in cannot show is said in :mod:`wandb_server`.
"""

import json
import math
import os
import subprocess
import sys

import offline_runs
import pytest
from offline_runs import MARKUP, describe, history
from wandb_server import API_KEY, ENTITY, StoredRun, WandbServer

from mmaction_ext.errors import InputError
from mmaction_ext.tables import build_table, load_spec
from mmaction_ext.tables.render import RENDERERS
from mmaction_ext.tracking.identity import config_hash, load_config
from mmaction_ext.tracking.reading import wandb_online
from mmaction_ext.tracking.reading.find import find_runs
from mmaction_ext.tracking.reading.snapshots import Copier, read_snapshot

#: zero retries would mean the default, 20
IMPATIENT = {
    f'WANDB_X_GRAPHQL_RETRY_{name}': value
    for name, value in dict(MAX='1', WAIT_MIN_SECONDS='0.01', WAIT_MAX_SECONDS='0.02').items()
}

BACKEND = """
import sys
from mmaction_ext.tracking.writing.wandb_backend import RunWandbBackend

def open_backend(**options):
    return RunWandbBackend(
        sys.argv[1], run=dict(uid='u1', group='demo', name=sys.argv[2]),
        config=dict(identity=dict(config='demo/full', seed=0, config_hash='0' * 16,
                                  overrides={}), static=dict(params=7)), **options)

def log(backend, iterations):
    for iteration in iterations:
        backend.add_scalars({'train/loss': 1 / iteration, 'iter': iteration, 'epoch': 1})
"""


@pytest.fixture
def server():
    with WandbServer() as server:
        yield server


@pytest.fixture
def online(server, monkeypatch, tmp_path):
    """The server as that of this process, which fails at once where it fails."""
    import wandb

    for key in [key for key in os.environ if key.startswith('WANDB')]:
        monkeypatch.delenv(key)
    for key, value in dict(server.environment, **IMPATIENT).items():
        monkeypatch.setenv(key, value)
    monkeypatch.chdir(tmp_path)
    wandb.teardown()
    yield server
    wandb.teardown()


def copy(root, project='p', entity=ENTITY):
    return {
        copied.run.run_id: copied
        for copied in wandb_online.copy_project(entity, project, Copier(root))
    }


def log_online(server, folder, code, name='full/seed0', **popen):
    return subprocess.Popen(
        [sys.executable, '-c', BACKEND + code, str(folder), name],
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=server.environment,
        **popen,
    )


def finish(process):
    output, _ = process.communicate(timeout=100)
    assert process.returncode == 0
    return output


def stored(server, count, project='p'):
    """Runs that the server has without anybody having logged them."""
    for index in range(count):
        identity = dict(config='demo/full', seed=index, config_hash='0' * 16)
        key = (ENTITY, project, f'u{index}')
        config = json.dumps(dict(identity=dict(value=identity)))
        server.runs[key] = StoredRun(
            *key,
            fields=dict(config=config, jobType='train'),
            state='finished',
            history=['{"_step": 0, "_timestamp": 1.0, "iter": 1, "test/acc/top1": 0.5}'],
        )


@pytest.mark.slow
def test_run_logged_online_is_read_back(online, tmp_path):
    """Two attempts at one run, the second from an earlier iteration on, as after a crash."""
    finish(
        log_online(
            online,
            tmp_path / 'logs',
            """
backend = open_backend()
log(backend, range(1, 7))
backend.add_scalars({'train/loss': float('nan'), 'val/acc/top1': float('inf'), 'iter': 7})
backend.close()
backend = open_backend()
log(backend, range(5, 9))
backend.close()
""",
            MARKUP,
        )
    )
    root = tmp_path / 'online'
    content = read_snapshot(copy(root, 'mmaction_ext')['u1'].path).facts()
    assert (content['name'], content['group'], content['state']) == (MARKUP, 'demo', 'finished')
    assert [row['iter'] for row in content['rows']] == [1, 2, 3, 4, 5, 6, 7, 5, 6, 7, 8]
    row = content['rows'][6]
    assert math.isnan(row['train/loss']) and row['val/acc/top1'] == math.inf and row['iter'] == 7
    assert content['config']['static'] == dict(params=7)
    [record] = find_runs(root)
    assert [row['iter'] for row in record.rows['train']] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert record.rows['train'][6] == {'iter': 7, 'epoch': 1, 'train/loss': 1 / 7}
    online.check()


@pytest.mark.slow
def test_listing_costs_one_query_and_only_what_changed_is_read(online, tmp_path):
    stored(online, 60)
    assert {copied.outcome for copied in copy(tmp_path).values()} == {'new'}
    assert online.operations.count('Runs') == 2  # pages
    assert online.operations.count('RunParquetHistory') == 60
    online.operations.clear()
    assert {copied.outcome for copied in copy(tmp_path).values()} == {'unchanged'}
    assert online.operations == ['Viewer', 'Runs', 'Runs']
    online.operations.clear()
    online.run('u7').take(
        dict(
            files={
                'wandb-history.jsonl': dict(
                    offset=1,
                    content=['{"_step": 1, "_timestamp": 2.0, "iter": 2, "test/acc/top1": NaN}'],
                )
            }
        )
    )
    outcomes = {name: copied.outcome for name, copied in copy(tmp_path).items()}
    assert [name for name, outcome in outcomes.items() if outcome != 'unchanged'] == ['u7']
    assert online.operations.count('RunParquetHistory') == 1
    content = read_snapshot(tmp_path / f'.online/{ENTITY}/p/u7-train.json').facts()
    assert content['state'] == 'running' and math.isnan(content['rows'][1]['test/acc/top1'])
    assert [path.name for path in tmp_path.iterdir()] == ['.online']


def test_history_of_many_pages_is_whole(online, tmp_path):
    stored(online, 1)
    online.run('u0').history = [
        f'{{"_step": {step}, "_timestamp": {step}, "iter": {step}, "train/loss": 1}}'
        for step in range(12_000)
    ]
    copied = copy(tmp_path)['u0']
    assert [row['iter'] for row in read_snapshot(copied.path).rows] == list(range(12_000))


@pytest.mark.slow
def test_what_was_copied_before_a_failure_stays(online, tmp_path):
    """The server breaks when six of nine histories were asked for, by four readers at a time."""
    stored(online, 9)
    answer = online.answer

    def break_down(*request):
        online.broken = online.operations.count('RunParquetHistory') >= 6
        return answer(*request)

    online.answer = break_down
    with pytest.raises(InputError, match='500'):
        copy(tmp_path)
    kept = [path.name.partition('-')[0] for path in tmp_path.rglob('*.json')]
    assert 2 <= len(kept) < 9
    online.answer, online.broken = answer, False
    assert {name: copied.outcome for name, copied in copy(tmp_path).items()} == {
        f'u{seed}': 'unchanged' if f'u{seed}' in kept else 'new' for seed in range(9)
    }


def test_a_run_that_the_server_cannot_give_is_skipped_and_the_others_come(online, tmp_path):
    stored(online, 7)
    whole = online.run('u0').history
    online.run('u1').history = online.run('u3').history = ['{"_step": no json', *whole]
    found = copy(tmp_path)
    assert {name: copied.outcome for name, copied in found.items()} == {
        f'u{seed}': 'skipped' if seed in (1, 3) else 'new' for seed in range(7)
    }
    assert found['u3'].reason.startswith(f'W&B run {online.url}/')
    assert len(list(tmp_path.rglob('*.json'))) == 5
    online.run('u3').history = whole
    assert copy(tmp_path)['u3'].outcome == 'new'


@pytest.mark.parametrize('entity, project', [(ENTITY, 'nothing'), ('nobody', 'p')])
def test_unknown_project_is_named(online, tmp_path, entity, project):
    stored(online, 1)
    with pytest.raises(InputError, match=f'W&B project {entity}/{project} at {online.url}'):
        copy(tmp_path, project, entity)


def test_server_that_is_gone_is_named(online, tmp_path):
    online.die()
    with pytest.raises(InputError, match=f'W&B server {online.url}: .*refused'):
        copy(tmp_path)
    assert not list(tmp_path.iterdir())


def test_server_that_fails_is_named(online, tmp_path):
    online.broken = True
    with pytest.raises(InputError, match=f'W&B server {online.url}: .*500'):
        copy(tmp_path)


def test_without_a_key_nobody_is_asked(online, tmp_path, monkeypatch):
    monkeypatch.delenv('WANDB_API_KEY')
    monkeypatch.setenv('NETRC', str(tmp_path / 'netrc'))
    with pytest.raises(InputError, match='needs an API key: set WANDB_API_KEY'):
        copy(tmp_path)
    assert online.operations == [] and online.peers == set()
    (tmp_path / 'netrc').write_text(f'machine 127.0.0.1 login user password {API_KEY}\n')
    assert wandb_online.has_api_key(online.url)
    assert not wandb_online.has_api_key('https://elsewhere.test')


def test_server_is_the_one_that_was_chosen(monkeypatch, tmp_path):
    monkeypatch.setenv('WANDB_BASE_URL', 'https://my.server:8080/')
    assert wandb_online.server_url() == 'https://my.server:8080'
    monkeypatch.delenv('WANDB_BASE_URL')
    (tmp_path / 'wandb').mkdir()
    (tmp_path / 'wandb/settings').write_text('[default]\nbase_url = https://other.server\n')
    monkeypatch.chdir(tmp_path)
    assert wandb_online.server_url() == 'https://other.server'


@pytest.mark.parametrize('text', ['', 'p', 'a/b/c', '/', 'a/', '/b'])
def test_project_is_entity_and_name(text):
    assert wandb_online.parse_project('lab/p') == ('lab', 'p')
    with pytest.raises(InputError, match='write ENTITY/PROJECT'):
        wandb_online.parse_project(text)


def test_importing_the_reader_is_light():
    code = (
        'import sys, mmaction_ext.tracking.reading.wandb_online\n'
        'print([name for name in ("torch", "mmaction", "mmengine", "wandb")'
        ' if name in sys.modules])'
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert done.stdout.strip() == '[]', done.stderr


@pytest.mark.slow
def test_training_goes_on_when_the_server_fails_and_when_it_dies(server, tmp_path):
    process = log_online(
        server,
        tmp_path,
        """
backend = open_backend(finish_seconds=1)
log(backend, range(1, 20))
print('online', flush=True)
sys.stdin.readline()
log(backend, range(20, 200))
print('past the errors', flush=True)
sys.stdin.readline()
log(backend, range(200, 400))
backend.close()
print('trained to the end')
""",
    )

    def say_and_hear():
        process.stdin.write('go\n')
        process.stdin.flush()
        return process.stdout.readline().strip()

    assert process.stdout.readline().strip() == 'online'
    server.broken = True
    assert say_and_hear() == 'past the errors'
    server.die()
    assert say_and_hear() == 'trained to the end'
    assert process.wait(60) == 0


@pytest.fixture(scope='module')
def table_file(tmp_path_factory):
    """A table of one row, whose config is ``demo/full``."""
    folder = tmp_path_factory.mktemp('table') / 'configs/demo'
    folder.mkdir(parents=True)
    (folder / 'full.py').write_text('train_cfg = dict(max_epochs=2)\n')
    (folder / 'table.yaml').write_text("""
id: demo
caption: A demo
seeds: [0, 1]
columns:
  - {key: top1, head: Top-1, from: test/acc/top1, scale: 100, fmt: .2f, best: max}
  - {key: params, head: Params, from: static.params, fmt: .0f}
rows:
  - {id: full, label: Full, config: full.py, reference: true}
""")
    return folder / 'table.yaml'


@pytest.fixture(scope='module')
def synced(tmp_path_factory, table_file):
    """An offline suite, and the server to which ``wandb sync`` brought it.

    Seed 0 finished; seed 1 was killed and resumed; seed 2 was killed; seed 3 failed; seed 4 has
    numbers that are none and a name with markup.
    """
    root = tmp_path_factory.mktemp('synced') / 'runs'
    digest = config_hash(load_config(table_file.with_name('full.py')))

    def run(folder, **facts):
        return describe(root / 'demo/full' / folder, config_hash=digest, **facts)

    nan = [{'iter': 8, 'epoch': 2, 'val/acc/top1': math.nan, 'train/nested': {'low': -math.inf}}]
    offline_runs.write(
        [
            run('seed0/a', seed=0, rows=history(0.8125)),
            run('seed1/a', seed=1, rows=history(None, 1, 6, test=False), die=True),
            run('seed2/a', seed=2, rows=history(None, 1, 5, test=False), die=True),
            run('seed3/a', seed=3, rows=history(0.5), exit_code=3),
            run('seed4/a', seed=4, rows=nan, name=MARKUP),
        ]
    )
    offline_runs.write([run('seed1/b', seed=1, rows=history(0.75, 5, 8))])
    with WandbServer() as server:
        folders = [path.parent for path in sorted(root.rglob('run-*.wandb'))]
        subprocess.run(
            [sys.executable, '-m', 'wandb', 'sync', '--yes', '-p', 'p', *folders],
            check=True,
            env=server.environment,
            capture_output=True,
            timeout=100,
        )
        yield root, server


@pytest.fixture
def both(synced, monkeypatch, tmp_path):
    """The records of the suite by seed: those of the logs, and those of the server."""
    import wandb

    root, server = synced
    for key, value in server.environment.items():
        monkeypatch.setenv(key, value)
    wandb.teardown()
    copy(tmp_path / 'online')
    wandb.teardown()
    server.check()
    return [
        {record.seed: record for record in find_runs(folder)}
        for folder in (root, tmp_path / 'online')
    ]


@pytest.mark.slow
def test_synced_suite_has_the_same_runs_online(both):
    offline, online = both
    assert sorted(offline) == sorted(online) == [0, 1, 2, 3, 4]
    for seed in range(5):
        mine, theirs = offline[seed], online[seed]
        for name in (
            'uid',
            'job_type',
            'config',
            'config_hash',
            'complexity',
            'recipe',
            'env',
            'git',
            'group',
        ):
            assert getattr(mine, name) == getattr(theirs, name), (seed, name)
        assert repr(mine.rows) == repr(_in_order_of(mine.rows, theirs.rows)), seed
        assert [item.values for item in mine.evaluations] == [
            item.values for item in theirs.evaluations
        ], seed
        assert not theirs.conflicts and not theirs.imported


def _in_order_of(rows, others):
    """The other's rows with their keys in the order of the first's, to compare NaN by text."""
    return {
        phase: [
            {key: other[key] for key in row} if set(other) == set(row) else other
            for row, other in zip(rows[phase], found, strict=True)
        ]
        for phase, found in ((phase, others[phase]) for phase in rows)
    }


@pytest.mark.slow
def test_synced_suite_keeps_names_and_what_is_no_number(both):
    for records in both:
        assert records[4].name == MARKUP
        [row] = records[4].rows['val']
        assert math.isnan(row['val/acc/top1'])
        assert records[4].rows['train'][0]['train/nested.low'] == -math.inf


@pytest.mark.slow
def test_synced_suite_makes_the_same_table(both, table_file):
    spec = load_spec(table_file)
    tables = [build_table(spec, list(records.values())) for records in both]
    for name, render in RENDERERS.items():
        assert render(tables[0]) == render(tables[1]), name
    assert '78.12 ± 4.42' in RENDERERS['md'](tables[0])
    assert all(table.is_complete for table in tables)


@pytest.mark.slow
def test_killed_run_that_was_synced_is_known_to_have_failed(both):
    """``wandb sync`` ends a log without exit record with exit code 1; its log cannot say so."""
    offline, online = both
    assert offline[2].exit_code is None and online[2].exit_code == 1
    assert offline[3].exit_code == 3 and online[3].exit_code == 1
    assert [records[1].exit_code for records in both] == [0, 0]
