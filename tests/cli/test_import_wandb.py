"""`import-wandb`: which row a foreign run is, what was copied, and what is said about it."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from offline_runs import MARKUP
from wandb_logs import encode, history_record
from wandb_server import ENTITY, StoredRun, WandbServer

from mmaction_ext.cli import import_wandb, main
from mmaction_ext.tables import build_table, load_spec
from mmaction_ext.tables.render import RENDERERS
from mmaction_ext.tracking.identity import RunIdentity, config_hash, load_config
from mmaction_ext.tracking.reading import foreign as foreign_module
from mmaction_ext.tracking.reading.find import find_runs
from mmaction_ext.tracking.reading.snapshots import Copier, read_snapshot
from mmaction_ext.tracking.reading.wandb_log import record_class

MATCH = r'(?P<config>demo/\w+)-s(?P<seed>\d+)'
#: another project's training: its own names, the last run fails
WRITER = """
import sys, wandb
for index, name in enumerate(sys.argv[1:]):
    run = wandb.init(id=f'f{index}', name=name, config=dict(args=dict(seed=index)),
                     settings=dict(console='off', quiet=True, x_disable_stats=True))
    run.log(dict(gs=4, acc=0.25))
    run.log(dict(gs=8, acc=0.5 + index / 8))
    run.finish(exit_code=index // 3)
"""


@pytest.fixture(scope='module')
def foreign(tmp_path_factory):
    """Offline logs of another project, and a configs folder with a table: ``full``, ``other``."""
    root = tmp_path_factory.mktemp('foreign')
    names = ['demo/full-s0', 'demo/full-s1', 'demo/gone-s0', f'x{MARKUP}']
    (root / 'logs').mkdir()
    subprocess.run([sys.executable, '-c', WRITER, *names], cwd=root / 'logs', check=True)
    (root / 'configs/demo').mkdir(parents=True)
    (root / 'configs/demo/full.py').write_text('train_cfg = dict(max_iters=8)\n')
    (root / 'configs/demo/table.yaml').write_text("""
id: demo
caption: A demo
seeds: [0, 1]
columns: [{key: top1, head: Top-1, from: test/acc/top1, scale: 100, fmt: .1f}]
rows: [{id: full, label: Full, config: full.py}]
""")
    return root


@pytest.fixture
def run(foreign, tmp_path, capsys, monkeypatch):
    """Runs the command in the folder of the configs; returns exit code, output and errors."""
    monkeypatch.chdir(foreign)

    def run(*argv, source='logs'):
        code = main(['import-wandb', source, '--to', str(tmp_path), *argv])
        return code, *capsys.readouterr()

    return run


@pytest.mark.slow
def test_foreign_logs_become_rows_of_a_table(run, foreign, tmp_path):
    options = ('--match', MATCH, '--metric', 'gs=iter', '--metric', 'acc=test/acc/top1')
    code, out, _ = run(*options)
    assert code == 1  # two were skipped
    lines = out.splitlines()
    assert '4 runs in logs: 2 new, 2 skipped' in lines[-1]
    assert any('skipped' in line and "no config 'demo/gone'" in line for line in lines)
    assert any('skipped' in line and 'name does not match' in line for line in lines)
    assert len(lines) == 6  # head, four runs, summary: no name breaks a line
    records = find_runs(tmp_path)
    assert [(record.config, record.seed, record.imported) for record in records] == [
        ('demo/full', 0, True),
        ('demo/full', 1, True),
    ]
    digest = config_hash(load_config(foreign / 'configs/demo/full.py'))
    assert {record.config_hash for record in records} == {digest}
    table = build_table(load_spec(foreign / 'configs/demo/table.yaml'), records)
    text = RENDERERS['md'](table)
    assert '56.2' in text and '<sup>†</sup> Imported: runs that were logged elsewhere' in text
    assert run(*options)[1].splitlines()[-1].startswith('4 runs in logs: 2 skipped, 2 unchanged')


def copy_of(monkeypatch, folder, root, **facts):
    """Copy a log as the one run of a folder; what became of it."""
    log = SimpleNamespace(
        **{
            **dict(
                uid='r',
                name='',
                group='',
                job_type='',
                config={},
                host='h',
                commit='',
                exit_code=0,
                history=[{'acc': 0.5}],
                path=folder / 'run-r.wandb',
                corrupt=False,
                start_time=7.5,
                tags=(),
                summary={},
            ),
            **facts,
        }
    )
    folder.mkdir(parents=True, exist_ok=True)
    Path(log.path).write_bytes(b'')
    monkeypatch.setattr(foreign_module, 'read_log', lambda path, summary: log)
    [source] = import_wandb.local_runs(folder, root)
    return Copier(root, lambda _: RunIdentity('demo/full', 0, '0' * 16))(source)


def test_folders_of_one_name_keep_their_snapshots_apart(tmp_path, monkeypatch):
    first, second = (
        copy_of(monkeypatch, tmp_path / name / 'wandb', tmp_path, history=[{'acc': acc}])
        for name, acc in (('a', 0.25), ('b', 0.75))
    )
    assert [copied.outcome for copied in (first, second)] == ['new', 'new']
    assert first.path != second.path
    for copied, acc in ((first, 0.25), (second, 0.75)):
        assert copied.path.parent.name.startswith('wandb-')
        assert read_snapshot(copied.path).rows == [dict(iter=1, acc=acc)]
    (tmp_path / 'link').symlink_to(tmp_path / 'a')
    again = copy_of(monkeypatch, tmp_path / 'link/wandb', tmp_path, history=[{'acc': 0.25}])
    assert again.path == first.path


def test_a_snapshot_that_was_copied_before_folders_were_told_apart_stays_the_run_s(
    tmp_path, monkeypatch
):
    """It is brought up to date where it lies; another folder's run of that id leaves it alone."""
    folders = [tmp_path / name / 'wandb' for name in ('a', 'b')]
    copied = copy_of(monkeypatch, folders[0], tmp_path)
    old = tmp_path / '.online/imported/wandb' / copied.path.name
    old.parent.mkdir()
    copied.path.rename(old)
    same = copy_of(monkeypatch, folders[0], tmp_path)
    assert same.path == old and same.outcome != 'new'
    grown = copy_of(monkeypatch, folders[0], tmp_path, history=[{'acc': 0.5}, {'acc': 1.0}])
    assert (grown.path, grown.outcome) == (old, 'changed')
    other = copy_of(monkeypatch, folders[1], tmp_path, start_time=8.5)
    assert other.outcome == 'new' and other.path != old
    assert len(read_snapshot(old).rows) == 2 and len(read_snapshot(other.path).rows) == 1
    nobody = copy_of(monkeypatch, folders[0], tmp_path, start_time=None)
    assert nobody.path != old


@pytest.mark.slow
def test_one_config_and_the_seed_in_the_runs_own_config(run, tmp_path):
    code, out, _ = run('--config', 'configs/demo/full.py', '--seed-key', 'args.seed')
    assert code == 0 and '4 new' in out
    seeds = {
        read_snapshot(path).config['identity']['seed']: path for path in tmp_path.rglob('*.json')
    }
    assert sorted(seeds) == [0, 1, 2, 3]
    content = read_snapshot(seeds[3]).facts()
    assert (content['name'], content['state']) == (f'x{MARKUP}', 'failed')
    assert [row['iter'] for row in content['rows']] == [1, 2]  # no row says so itself
    code, out, _ = run('--config', 'configs/demo/full.py', '--seed-key', 'args.nothing')
    assert code == 1 and out.count('its seed is None') == 4


@pytest.mark.slow
def test_dry_run_writes_nothing(run, tmp_path):
    code, out, _ = run('--config', 'configs/demo/full.py', '--seed-key', 'args.seed', '--dry-run')
    assert code == 0 and '4 new; nothing was written' in out
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_damaged_log_is_skipped(run, foreign, tmp_path, monkeypatch):
    [log] = (foreign / 'logs').rglob('run-f0.wandb')
    copy = tmp_path / 'other/run-f0.wandb'
    copy.parent.mkdir()
    data = bytearray(log.read_bytes())
    data[len(data) // 2] ^= 1
    copy.write_bytes(data)
    code, out, _ = run(
        '--config', 'configs/demo/full.py', '--seed-key', 'args.seed', source=str(copy.parent)
    )
    assert code == 1 and 'its log is damaged' in out


@pytest.mark.parametrize(
    'argv, message',
    [
        (['--match', '('], 'is no regular expression'),
        (['--match', 'x'], 'need either --config or a group (?P<config>...)'),
        (
            ['--match', MATCH, '--config', 'configs/demo/full.py'],
            'need either --config or a group',
        ),
        (['--config', 'configs/demo/full.py'], 'need either --seed-key or a group (?P<seed>...)'),
        (['--config', 'nowhere.py', '--seed-key', 'x'], 'nowhere.py does not exist'),
        (['--metric', 'acc'], "--metric 'acc' is not THEIRS=OURS"),
    ],
)
def test_bad_options_are_refused_before_anything_is_read(
    tmp_path, capsys, argv, message, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'configs/demo').mkdir(parents=True)
    (tmp_path / 'configs/demo/full.py').write_text('')
    monkeypatch.setattr(import_wandb, 'local_runs', pytest.fail)
    assert main(['import-wandb', str(tmp_path), *argv]) == 2
    error = capsys.readouterr().err
    assert error.startswith('error: ') and message in error and error.count('\n') == 1


@pytest.mark.parametrize('source', ['nothing', './a/b', '/tmp/not/there', 'a/b/c'])
def test_source_that_is_neither_is_named(source, capsys):
    assert main(['import-wandb', source]) == 2
    assert f'{source} is neither a folder nor ENTITY/PROJECT' in capsys.readouterr().err


def test_folder_without_logs_is_no_success(tmp_path, capsys):
    assert main(['import-wandb', str(tmp_path)]) == 1
    assert '0 runs' in capsys.readouterr().out


@pytest.mark.slow
def test_project_of_a_server(tmp_path):
    """As a user calls it; a second call, after the server died, says so in one line."""
    with WandbServer() as server:
        key = (ENTITY, 'p', 'u1')
        server.runs[key] = StoredRun(
            *key,
            fields=dict(
                displayName=MARKUP,
                jobType='train',
                config='{"identity": {"value": '
                '{"config": "demo/full", "seed": 4, "config_hash": "0f"}}}',
            ),
            state='finished',
            history=['{"_step": 0, "iter": 1, "test/acc/top1": 0.5}'],
        )
        command = [
            sys.executable,
            '-m',
            'mmaction_ext',
            'import-wandb',
            f'{ENTITY}/p',
            '--to',
            tmp_path / 'runs',
        ]
        environment = dict(
            server.environment, WANDB_X_GRAPHQL_RETRY_MAX='1', PYTHONPATH=os.getcwd()
        )

        def call():
            return subprocess.run(
                command, cwd=tmp_path, env=environment, text=True, capture_output=True, timeout=100
            )

        done = call()
        assert (done.returncode, done.stderr) == (0, '')
        assert done.stdout.splitlines()[-1] == (
            f'1 runs in {ENTITY}/p: 1 new; snapshots in {tmp_path}/runs/.online'
        )
        assert 'demo/full seed 4, finished' in done.stdout
        server.check()
        server.die()
        done = call()
        assert done.returncode == 2 and done.stderr.count('\n') == 1
        assert done.stderr.startswith(f'error: W&B server {server.url}: ')
    [record] = find_runs(tmp_path / 'runs')
    assert (record.name, record.seed, record.imported) == (MARKUP, 4, False)


def test_logs_of_odd_ids_stop_no_import(tmp_path):
    """One that no file can be named after, or that cannot be read, is skipped and told of."""
    folder, ids = tmp_path / 'logs', ['x' * 300, 'a/b', 'a\0b', '..', ' ', 'sound', 'é' * 60]
    folder.mkdir()
    for number, name in enumerate(ids):
        record = record_class()()
        record.run.run_id, record.run.job_type = name, 'train'
        (folder / f'run-{number}.wandb').write_bytes(
            encode(
                [record.SerializeToString(), history_record(1, {'iter': 1, 'test/acc/top1': 0.5})]
            )
        )
    os.mkfifo(folder / 'run-pipe.wandb')
    copier = Copier(tmp_path / 'work_dirs', lambda run: RunIdentity('a/b', 0, '0' * 16))
    found = {
        each.run.run_id: each for each in map(copier, import_wandb.local_runs(folder, copier.root))
    }
    skipped = {name: each.reason for name, each in found.items() if each.outcome == 'skipped'}
    assert skipped == {
        'x' * 300: 'its id or folder is too long for a file name',
        ' ': 'it has no id',
        'é' * 60: 'its id or folder is too long for a file name',
        'pipe': 'its log cannot be read: not a regular file',
    }
    for name in ('a/b', 'a\0b', '..', 'sound'):
        assert read_snapshot(found[name].path).uid == name
        assert found[name].path.resolve().is_relative_to(copier.root / '.online/imported')
        assert found[name].path.parent.parent == copier.root / '.online/imported'
