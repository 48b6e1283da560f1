"""tools/train_table.py: trains what is lacking, nothing else, and one failure stops nothing."""

import subprocess
import sys

import ledger_runs
import pytest
from tool_runs import run_tool

from mmaction_ext.tracking.identity import RunIdentity, config_hash, load_config
from mmaction_ext.tracking.ledger import process
from mmaction_ext.tracking.ledger.attempts import write_run_file
from mmaction_ext.tracking.ledger.format import LOCK_FILE

TABLE = """
id: tiny
caption: Tiny
seeds: [0]
columns:
  - {key: top1, head: Top-1, from: test/acc/top1, scale: 100, fmt: .1f}
rows:
  - {id: plain, config: plain.py, reference: true}
  - {id: broken, config: broken.py}
  - {id: full, config: row.py}
"""
ENSEMBLE = """\
  - {id: both, config: both.py}
  - {id: mean, mean_of: [plain, full]}
  - {id: other, published: p.other, reason: no code}
"""


@pytest.fixture
def table(place):
    """Three rows of one short epoch; the middle one names a stage that does not exist."""
    place.config.write_text(place.config.read_text() + 'train_cfg.update(max_epochs=1)\n')
    folder = place.config.parent
    (folder / 'plain.py').write_text("_base_ = './row.py'\n"
                                     'model = dict(backbone=dict(module=None, stages=()))\n')
    (folder / 'broken.py').write_text("_base_ = './row.py'\n"
                                      'model = dict(backbone=dict(stages=(2, 9)))\n')
    (folder / 'both.py').write_text("_base_ = './row.py'\n"
                                    "ensemble = dict(members=['plain.py', 'row.py'])\n")
    (folder / 'published.yaml').write_text('p: {paper: P, other: {top1: 1}}\n')
    (folder / 'table.yaml').write_text(TABLE)
    return folder / 'table.yaml'


@pytest.mark.slow
def test_loop_trains_what_is_lacking_and_only_that(table, place):
    dry = run_tool('train_table.py', table, '--dry-run', cwd=place.path)
    assert '3 runs to train' in dry.stdout and not (place.path / 'work_dirs').exists()

    first = run_tool('train_table.py', table, '--jobs', '2', cwd=place.path)
    assert first.returncode == 1, first.stdout + first.stderr
    assert 'broken/seed0: FAILED: error: ' in first.stdout and 'broken.py' in first.stdout
    assert 'plain/seed0: done' in first.stdout and 'full/seed0: done' in first.stdout

    second = run_tool('train_table.py', table, '--rows', 'plain', 'full', cwd=place.path)
    assert second.returncode == 0 and '0 runs to train' in second.stdout

    more = run_tool('train_table.py', table, '--rows', 'plain', '--seeds', '0', '1', '--dry-run',
                    cwd=place.path)
    assert 'tiny: 1 runs to train\n  plain/seed1' in more.stdout

    report = run_tool('make_tables.py', table, '--print', cwd=place.path)
    lines = {line.split('|')[1].strip(): line.split('|')[2].strip()
             for line in report.stdout.splitlines() if line.startswith('|')}
    assert 0 <= float(lines['plain']) <= 100 and 0 <= float(lines['full']) <= 100
    assert lines['broken'].startswith(('failed', 'missing'))


@pytest.mark.slow
def test_ensemble_follows_its_members_and_the_mean_needs_no_run(table, place):
    lines = TABLE.replace('  - {id: broken, config: broken.py}\n', '').splitlines(keepends=True)
    first = lines.index('rows:\n') + 1  # the ensemble stands before its members
    table.write_text(''.join([*lines[:first], *ENSEMBLE.splitlines(keepends=True)[:1],
                              *lines[first:], *ENSEMBLE.splitlines(keepends=True)[1:]])
                     + 'published: published.yaml\n')
    done = run_tool('train_table.py', table, '--jobs', '2', cwd=place.path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '3 runs to train' in done.stdout
    assert done.stdout.index('full/seed0: done') < done.stdout.index('both/seed0: started')
    report = run_tool('make_tables.py', table, '--print', '--strict', cwd=place.path)
    assert report.returncode == 0, report.stderr
    shown = {line.split('|')[1].strip(): line.split('|')[2].strip()
             for line in report.stdout.splitlines() if line.startswith('|')}
    assert shown['other<sup>a</sup>'] == '–' and 0 <= float(shown['both']) <= 100
    assert float(shown['mean']) == pytest.approx(
        (float(shown['plain']) + float(shown['full'])) / 2, abs=.11)


@pytest.mark.slow
def test_weights_of_another_config_are_trained_once_and_tested_again(table, place):
    folder = table.parent
    (folder / 'again.py').write_text("_base_ = './plain.py'\nweights_of = 'plain.py'\n"
                                     "test_dataloader = dict(batch_size=5)\n")
    (folder / 'both.py').write_text("_base_ = './plain.py'\n"
                                    "ensemble = dict(members=['again.py', 'plain.py'])\n")
    lines = [line for line in TABLE.splitlines(keepends=True) if 'id: plain' not in line
             and 'broken' not in line and 'id: full' not in line]
    table.write_text(''.join(lines) + '  - {id: both, config: both.py}\n'
                     '  - {id: again, config: again.py}\n')
    done = run_tool('train_table.py', table, cwd=place.path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '3 runs to train\n  tiny/plain/seed0\n  again/seed0\n  both/seed0' in done.stdout
    assert not list((place.path / 'work_dirs/tiny/again').rglob('*.pth'))
    table.write_text(table.read_text() + '  - {id: plain, config: plain.py}\n')
    report = run_tool('make_tables.py', table, '--print', '--strict', cwd=place.path)
    assert report.returncode == 0, report.stderr
    shown = {line.split('|')[2].strip() for line in report.stdout.splitlines()
             if line.startswith(('| both', '| again', '| plain'))}
    assert len(shown) == 1 and 0 <= float(shown.pop()) <= 100
    assert '0 runs to train' in run_tool('train_table.py', table, cwd=place.path).stdout
    (folder / 'plain.py').write_text((folder / 'plain.py').read_text() + 'changed = True\n')
    stale = run_tool('train_table.py', table, '--dry-run', cwd=place.path)
    assert '3 runs to train' in stale.stdout


#: holds the lock of a run's folder, as a training does, until it is told to end
HOLDER = """
import fcntl, sys
lock = open(sys.argv[1], 'a+')
fcntl.flock(lock, fcntl.LOCK_EX)
print('held', flush=True)
sys.stdin.read()
"""


def write_run(folder, config, entry, job_type='train'):
    """Write who the run of a config under seed 0 is, and its one attempt."""
    folder.mkdir(parents=True, exist_ok=True)
    identity = RunIdentity('tiny/row', 0, config_hash(load_config(config)))
    write_run_file(folder, dict(
        schema=1, uid=identity.uid, config=identity.config, seed=0,
        config_hash=identity.config_hash, job_type=job_type, attempts=[entry]))


@pytest.fixture
def living(tmp_path):
    """Number of a process that tests a row whose training failed; it holds the run's lock."""
    config = tmp_path / 'configs/tiny/row.py'
    config.parent.mkdir(parents=True)
    config.write_text('train_cfg = dict(max_epochs=1)\n')
    (config.parent / 'table.yaml').write_text(
        ''.join(line for line in TABLE.splitlines(keepends=True)
                if 'plain' not in line and 'broken' not in line))
    runs = tmp_path / 'work_dirs/tiny/row'
    write_run(runs / 'seed0', config, ledger_runs.attempt(exit_code=1))
    (runs / 'test').mkdir()
    with subprocess.Popen([sys.executable, '-c', HOLDER, str(runs / 'test' / LOCK_FILE)],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == 'held\n'
        write_run(runs / 'test', config, ledger_runs.attempt(
            exit_code=None, pid=holder.pid,
            process_start=process.process_start(holder.pid)), 'test')
        yield holder.pid


def test_what_a_process_works_on_is_left_to_it(living, tmp_path):
    table = tmp_path / 'configs/tiny/table.yaml'
    done = run_tool('train_table.py', table, cwd=tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    who = f'process {living} on {process.host()}'
    [line] = [line for line in done.stdout.splitlines() if 'left alone' in line]
    assert line == f'full/seed0 is left alone (running): still running; {who} works on it'
    assert 'tiny: nothing is left, 0 runs to train' in done.stdout
    assert done.stderr.splitlines() == [f'still running: full/seed0 ({who})']
    assert not (tmp_path / 'work_dirs/.logs').exists()


def test_unknown_row_is_named_with_those_there_are(table, place):
    table.write_text(TABLE + ENSEMBLE + 'published: published.yaml\n')
    for name in ('ful', 'mean'):
        done = run_tool('train_table.py', table, '--rows', name, cwd=place.path)
        assert done.returncode == 2
        assert f'has no row {name} to train; it has plain, broken, full, both' in done.stderr


def test_table_that_points_to_no_config_is_named(table, place):
    table.write_text(TABLE.replace('row.py', 'gone.py'))
    done = run_tool('train_table.py', table, cwd=place.path)
    assert done.returncode == 2
    assert 'gone.py' in done.stderr and 'table.yaml:' in done.stderr
    assert 'Traceback' not in done.stderr
