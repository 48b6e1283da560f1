"""What `launch` starts, leaves alone and refuses, with a stand-in for trainings."""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from disks import small_disk

from mmaction_ext.engine import preflight
from mmaction_ext.suites.executors import local
from mmaction_ext.suites.store import Handed, Suite

#: trains as its ledger tells it; `fail` names rows that fail, `wait` rows that take a minute
PROGRAM = """
import sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
from written_project import Project
project = Project.__new__(Project)
project.root, project.runs = Path.cwd(), Path('work_dirs')
row, seed = Path(sys.argv[2]).stem, int(sys.argv[sys.argv.index('--seed') + 1])
with open('started', 'a') as started:
    started.write(f'{{row}}/seed{{seed}}\\n')
if row in Path('wait').read_text().split():
    time.sleep(60)
if row in Path('fail').read_text().split():
    project.train(row, seed, exit_code=1, last_error='ValueError: no such crop')
    sys.exit('ValueError: no such crop')
project.train(row, seed)
"""
OTHER = """
id: other
caption: Another
seeds: [0, 1]
columns: [{key: top1, head: Top-1, from: test/acc/top1, scale: 100}]
rows: [{id: mine, config: ../demo/full.py}]
"""


@pytest.fixture
def launch(project, command, monkeypatch):
    """`launch` without a preflight, two at a time; ``started()`` tells what it has started."""
    tests = str(Path(__file__).parents[1])
    project.write('program.py', PROGRAM.format(tests=tests))
    for name in ('wait', 'fail', 'started'):
        project.write(name, '')
    monkeypatch.setenv('CUDA_VISIBLE_DEVICES', '')
    monkeypatch.setattr(local, 'PROGRAM', (sys.executable, 'program.py'))

    def launch(*argv):
        project.write('started', '')
        return command('launch', *argv, '--no-preflight', '--max-parallel', '2')

    launch.started = lambda: sorted(Path('started').read_text().split())
    return launch


ALL = ['base/seed0', 'base/seed1', 'full/seed0', 'full/seed1']


def test_what_the_lock_holds_of_the_configs_as_they_stand_counts_as_made(project, launch, command):
    for seed in range(2):
        project.train('base', seed)
    project.train('full', 0)
    assert command('tables')[0] == 0
    shutil.rmtree(project.runs)
    assert launch('demo', '--locked')[0] == 0 and launch.started() == ['full/seed1']
    assert launch('demo', '--locked')[:2] == (0, 'demo: nothing is left, 0 runs to train\n')
    project.write('configs/demo/base.py', "_base_ = ['common.py']\nmodel = dict(width=9)\n")
    assert launch('demo', '--locked')[0] == 0
    assert launch.started() == ['base/seed0', 'base/seed1']
    assert launch('demo')[0] == 0 and launch.started() == ['full/seed0']
    code, _, error = launch('demo', '--locked', '--lock', 'gone.json')
    assert code == 2 and 'gone.json cannot be read' in error


def test_what_is_missing_failed_or_stale_is_made_and_nothing_else(project, launch):
    project.train('base', 0)
    project.train('base', 1, exit_code=1, last_error='ValueError: x')
    project.write('fail', 'full')
    code, out, err = launch('demo')
    assert code == 1 and launch.started() == ALL[1:]
    assert 'demo: 3 runs to train\n' in out and 'base/seed1: done (' in out
    assert 'full/seed0: FAILED: ValueError: no such crop (' in out
    assert 'still without a result: full/seed0' in err and 'base' not in err
    project.write('fail', '')
    project.write('configs/demo/base.py', "_base_ = ['common.py']\nmodel = dict(width=9)\n")
    code, out, err = launch('demo')
    assert (code, err, launch.started()) == (0, '', ALL)
    code, out, err = launch('demo')
    assert (code, err, launch.started()) == (0, '', [])
    assert 'demo: nothing is left, 0 runs to train' in out


def test_cost_comes_first_and_a_dry_run_makes_nothing(project, launch):
    project.train('base', 0)
    project.complexity(base=2_000_000, full=4_000_000)
    code, out, _ = launch('demo', '--dry-run')
    assert code == 0 and launch.started() == []
    assert not (project.runs / '.suites').exists()
    lines = [' '.join(line.split()) for line in out.splitlines()]
    # 60 s is what the other seed took, and twice as many multiply-adds take twice as long
    assert lines == [
        'demo: 3 runs to train',
        'run seeds MACs each time each time',
        'full 0,1 384 M 2 min 4 min',
        'base 1 192 M 60 s 60 s',
        '2 at a time on 2 CPU cores: about 2 min, one after the other 5 min, 960 M MACs',
    ]


def test_run_that_two_tables_share_is_made_once(project, launch):
    project.write('configs/other/table.yaml', OTHER)
    code, out, _ = launch('demo', 'other')
    assert code == 0 and launch.started() == ALL
    assert 'demo+other: 4 runs to train' in out


def test_rows_seeds_and_hours(project, launch):
    code, _, err = launch('demo', '--rows', 'full', '--seeds', '0', '1', '2')
    assert (code, err, launch.started()) == (0, '', ['full/seed0', 'full/seed1', 'full/seed2'])
    code, out, err = launch('demo', '--hours', '1', '--name', 'short')
    # nobody knows how long base takes: an hour each, two at a time
    assert code == 0 and launch.started() == ALL[:2]
    assert 'short: 2 runs to train of 2, those for 1 h' in out
    project.write('configs/demo/full.py', "_base_ = ['common.py']\nmodel = dict(width=9)\n")
    code, out, err = launch('demo', '--hours', '0.001')
    assert code == 1 and launch.started() == []
    assert 'nothing is left, 0 runs to train of 2, those for 0.001 h' in out
    assert err.count('still without a result: full/seed') == 2


def test_two_launches_at_once(project, launch):
    with Suite(project.runs, 'demo').make().launch.held('launch of demo'):
        code, _, err = launch('demo')
    assert code == 2 and err.count('\n') == 1 and launch.started() == []
    assert f'suite demo is being launched already, by process {os.getpid()} on' in err


def test_what_a_killed_launcher_had_is_started_by_the_next(project, launch):
    suite = Suite(project.runs, 'demo').make()
    digest = project.identity('full', 0).config_hash
    suite.hand(Handed(f'demo/full/seed{seed}', 'local', '', digest, 1.0) for seed in (0, 1))
    assert launch('demo')[0] == 0 and launch.started() == ALL


def test_another_suite_leaves_alone_what_it_shares(project, launch):
    project.write('configs/other/table.yaml', OTHER)
    first = Suite(project.runs, 'other').make()
    with first.launch.held('launch of other'):
        digest = project.identity('full', 0).config_hash
        first.hand([Handed('demo/full/seed0', 'local', '', digest, 1.0)])
        code, out, err = launch('demo')
        assert code == 1 and launch.started() == ['base/seed0', 'base/seed1', 'full/seed1']
        assert f'full/seed0 is left alone: suite other: process {os.getpid()} on' in out
        assert 'still without a result: full/seed0' in err
        project.write('configs/demo/full.py', "_base_ = ['common.py']\nmodel = dict(width=9)\n")
        code, _, err = launch('demo')
        assert code == 2 and err.count('\n') == 1 and launch.started() == []
        assert 'full/seed0: its config has changed since it was handed over' in err
        for part in (digest, project.identity('full', 0).config_hash, 'cancel other first'):
            assert part in err
    code, _, _ = launch('demo')  # its launcher is gone
    assert code == 0 and launch.started() == ['full/seed0', 'full/seed1']


def test_rows_that_cannot_be_trained_are_left_out(project, launch, command, monkeypatch):
    looked = []

    def preflight_of(targets, **options):
        for target in targets:
            looked.append(target.name)
            bad = target.name == 'demo/full'
            yield preflight.Outcome(target.name, 'model.stages has no 9' if bad else '')

    monkeypatch.setattr(preflight, 'preflight', preflight_of)
    code, out, _ = command('launch', 'demo')
    assert code == 1 and launch.started() == ALL[:2]
    assert 'full/seed0, full/seed1: left out: model.stages has no 9' in out
    assert looked == ['demo/base', 'demo/full']
    project.write('fail', 'full')
    (project.folder('base', 1) / 'run.json').unlink()
    command('launch', 'demo')
    assert looked[2:] == ['demo/full']  # base was found sound


def test_a_budget_is_spent_by_steps_that_were_timed(project, launch, command, monkeypatch):
    project.complexity(base=2_000_000, full=4_000_000)
    looked = []

    def preflight_of(targets, **options):
        for target in targets:
            looked.append(target.name)
            seconds = 100.0 if 'base' in target.name else 200.0
            yield preflight.Outcome(target.name, step=seconds, iterations=1)

    monkeypatch.setattr(preflight, 'preflight', preflight_of)
    code, out, _ = command('launch', 'demo', '--hours', '0.06', '--max-parallel', '1')
    assert looked == ['demo/base', 'demo/full'] and launch.started() == ALL[:2]
    assert code == 1 and 'demo: 2 runs to train of 4, those for 0.06 h' in out
    assert 'about 3 min, one after the other 3 min' in out


def test_status_and_cancel_of_a_suite(project, launch, command):
    project.write('wait', 'base')
    told = {}

    def look():
        until = time.monotonic() + 60
        while 'base/seed0' not in launch.started():
            assert time.monotonic() < until
            time.sleep(0.05)
        here = [sys.executable, '-m', 'mmaction_ext']
        for name, words in dict(
            status=['status', '--suite', 'demo'],
            json=['status', '--suite', 'demo', '--json'],
            cancel=['cancel', 'demo', '--rows', 'base'],
        ).items():
            told[name] = subprocess.run([*here, *words], capture_output=True, text=True).stdout

    thread = threading.Thread(target=look)
    thread.start()
    project.train('full', 0)
    code, out, _ = launch('demo')
    thread.join()
    assert code == 1 and 'base/seed0: cancelled (' in out and 'full/seed1: done (' in out
    rows = {line.split()[0]: line.split()[1:] for line in told['status'].splitlines()}
    assert rows['base'] == ['waiting', 'waiting']  # its ledger does not tell yet
    states = {(each['run'], each['seed']): each for each in json.loads(told['json'])['demo']}
    assert states['base', 1]['state'] == 'waiting' and ('full', 1) in states
    assert 'base/seed0: is told to end (suite demo: process' in told['cancel']
    code, out, _ = command('status', '--suite', 'demo')
    assert 'missing' in out
    assert command('cancel', 'demo')[0] == 1


@pytest.mark.parametrize(
    ('argv', 'said'),
    [
        (['demo', '--executor', 'slrm'], "invalid choice: 'slrm'"),
        (['demo', '--hours', '0'], '--hours must be positive, got 0.0'),
        (['demo', '--hours', 'nan'], '--hours must be positive'),
        (['demo', '--gpus-per-run', '4096'], '--gpus-per-run 4096: this machine has no GPU'),
        (['demo', '--gpus-per-run', '0'], '--gpus-per-run must be at least 1'),
        (['demo', '--seeds', '-1'], "between 0 and 2**32 - 1, got '-1'"),
        (['demo', '--seeds', '4294967296'], "2**32 - 1, got '4294967296'"),
        (['demo', '--retries', '-1'], '--retries must be at least 0'),
        (['demo', '--name', '../x'], "a suite is named with letters, digits and _.+-, got '../x'"),
        (['demo', '--rows', 'ful'], 'did you mean full?'),
        (['dem'], 'no file, folder or table dem'),
        ([], 'name a table'),
    ],
)
def test_bad_input_is_one_line_and_starts_nothing(launch, argv, said):
    code, _, err = launch(*argv)
    assert code == 2 and said in err and 'Traceback' not in err
    assert launch.started() == []


def test_unknown_suites(project, command):
    Suite(project.runs, 'demo').make().hand([Handed('demo/full/seed0', 'local', '', 'h', 1.0)])
    for argv in (['status', '--suite', 'dmo'], ['cancel', 'dmo']):
        code, _, err = command(*argv)
        assert code == 2 and 'no suite dmo was launched in work_dirs' in err
        assert 'there are demo; did you mean demo?' in err
    code, _, err = command('cancel', 'demo', '--rows', 'ful')
    assert code == 2 and 'suite demo has no row ful; it has full' in err


@pytest.mark.parametrize('problem', ['full', 'read-only'])
def test_folder_of_runs_on_a_disk_that_takes_nothing(project, launch, problem):
    with small_disk(project.root, '16k') as disk:
        project.runs.rmdir()
        project.runs.symlink_to(disk)
        if problem == 'full':
            (disk / 'rest').write_bytes(b'x' * 16384)
        else:
            subprocess.run(['mount', '-o', 'remount,ro', disk], check=True)
        code, _, err = launch('demo')
        assert code == 2 and err.count('\n') == 1 and launch.started() == []
        assert 'work_dirs/.suites' in err
        assert ('No space left' if problem == 'full' else 'Read-only') in err
