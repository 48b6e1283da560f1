"""Runs on this machine, with a stand-in for ``mmaction-ext`` that does what each test needs."""

import functools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from disks import small_disk

from mmaction_ext.suites.executors import local
from mmaction_ext.suites.executors.local import LocalExecutor
from mmaction_ext.suites.executors.machine import Slots
from mmaction_ext.suites.plan import Task
from mmaction_ext.suites.store import Handed, Suite
from mmaction_ext.tables.gaps import Job
from mmaction_ext.tracking.ledger.forms import RunFile

#: notes each start, and does what `steps.json` has for it, of which the last holds for all later
PROGRAM = """
import json, os, signal, sys, time
from pathlib import Path
name = Path(sys.argv[2]).stem
folder = Path('work_dirs', name, 'seed0')
folder.mkdir(parents=True, exist_ok=True)
number = len(list(folder.glob('start*')))
facts = dict(pid=os.getpid(), gpus=os.environ.get('CUDA_VISIBLE_DEVICES'), begin=time.time())
(folder / f'start{number}').write_text(json.dumps(facts))
def checkpoint(name):
    (folder / f'{name}.pth').touch()
def on(number, do):
    signal.signal(number, lambda *_: do())
steps = json.loads(Path('steps.json').read_text()).get(name, [''])
exec(steps[min(number, len(steps) - 1)])
(folder / f'end{number}').write_text(str(time.time()))
"""
LAUNCHER = """
import sys
from pathlib import Path
from mmaction_ext.suites.executors import local
from test_local import SilentWatcher, begin, task
local.PROGRAM = (sys.executable, 'program.py')
begin([task('a'), task('b')]).run([task('a'), task('b')])
"""


class SilentWatcher:
    """Keeps what is said."""

    def __init__(self):
        self.said, self.shown = [], []

    def say(self, text):
        self.said.append(text)

    def show(self, states):
        self.shown.append([state.word for state in states])


def task(name, needs=(), kind='train'):
    job = Job(f'{name}/seed0', kind, Path(f'configs/{name}.py'), 0)
    return Task(job, 'hash', tuple(f'{need}/seed0' for need in needs))


def begin(tasks, parallel=2, retries=2, slots=None):
    suite = Suite(Path('work_dirs'), 'demo').make()
    suite.hand(Handed(each.run, 'local', '', 'hash', 1.0) for each in tasks)
    slots = slots or Slots((), 1, parallel)
    return LocalExecutor(suite, Path('work_dirs'), slots, retries, SilentWatcher())


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Have an executor make tasks, of which each does its steps; returns the executor."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(local, 'PROGRAM', (sys.executable, 'program.py'))
    Path('program.py').write_text(PROGRAM)

    def make(*tasks, steps=None, **options):
        Path('steps.json').write_text(json.dumps(steps or {}))
        executor = begin(tasks, **options)
        executor.run(tasks)
        return executor

    return make


def words(executor):
    return {state.task.job.name.partition('/')[0]: state.word for state in executor.states}


def starts(name):
    paths = sorted(Path('work_dirs', name, 'seed0').glob('start*'))
    return [json.loads(path.read_text()) for path in paths]


def wait_until(is_so, seconds=30):
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.05)


def after(is_so, *numbers):
    """Send this process signals, one by one, once something is so."""

    def send():
        wait_until(is_so)
        for number in numbers:
            os.kill(os.getpid(), number)
            time.sleep(3 * local.LOOK_SECONDS)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


def test_as_many_at_a_time_as_there_are_slots(make):
    names = 'abcdef'
    until_three = "while len(list(Path('work_dirs').glob('*/seed0/start*'))) < 3: time.sleep(0.02)"
    executor = make(
        *map(task, names),
        steps={name: [until_three] for name in names},
        slots=Slots(('0', '1', '2'), 1, 3),
    )
    assert set(words(executor).values()) == {'done'}
    spans = [
        (
            starts(name)[0]['gpus'],
            starts(name)[0]['begin'],
            float(Path(f'work_dirs/{name}/seed0/end0').read_text()),
        )
        for name in names
    ]
    assert {gpu for gpu, _, _ in spans} == {'0', '1', '2'}
    for gpu, begin_, end in spans:
        meanwhile = [each for each in spans if each[1] < end and begin_ < each[2]]
        assert len(meanwhile) <= 3 and sum(each[0] == gpu for each in meanwhile) == 1
    assert executor.suite.handed() == {}


def test_each_after_what_it_needs_and_none_after_what_failed(make):
    executor = make(
        task('both', ['good', 'bad'], 'ensemble'),
        task('again', ['good'], 'weights_of'),
        task('more', ['both'], 'ensemble'),
        task('bad'),
        task('good'),
        steps=dict(bad=['sys.exit("ValueError: no such crop")'], good=['time.sleep(0.5)']),
    )
    assert words(executor) == dict(
        both='left out', again='done', more='left out', bad='failed', good='done'
    )
    assert starts('again')[0]['begin'] > float(Path('work_dirs/good/seed0/end0').read_text())
    said = '\n'.join(executor.watcher.said)
    assert 'bad/seed0: FAILED: ValueError: no such crop (1 of 5)' in said
    assert 'both/seed0: left out, it needs bad/seed0 (failed)' in said
    assert 'more/seed0: left out, it needs both/seed0 (left out)' in said


def test_what_is_tried_again(make):
    kill = 'os.kill(os.getpid(), signal.SIGKILL)'
    executor = make(
        *map(task, ['error', 'input', 'diverged', 'killed', 'unlucky', 'preempted', 'memory']),
        steps=dict(
            error=['sys.exit(1)'],
            input=['sys.exit(2)'],
            diverged=['sys.exit(3)'],
            killed=[kill, 'sys.exit(143)', ''],
            unlucky=[kill],
            preempted=[f'checkpoint("iter_{n}"); sys.exit(75)' for n in range(5)] + [''],
            memory=[
                'sys.exit("RuntimeError: DataLoader worker is killed by signal: Killed.")',
                '',
            ],
        ),
    )
    assert words(executor) == dict(
        error='failed',
        input='failed',
        diverged='failed',
        killed='done',
        unlucky='failed',
        preempted='done',
        memory='done',
    )
    counts = {state.task.job.name.partition('/')[0]: state.starts for state in executor.states}
    assert counts == dict(error=1, input=1, diverged=1, killed=3, unlucky=3, preempted=6, memory=2)
    said = '\n'.join(executor.watcher.said)
    assert 'unlucky/seed0: is started again, ended by SIGKILL' in said
    assert 'unlucky/seed0: FAILED: ended by SIGKILL (' in said
    assert 'preempted/seed0: goes on after iter 4' in said


@pytest.mark.parametrize(('digest', 'word'), [('hash', 'goes on after epoch 2'), ('1', 'started')])
def test_what_an_earlier_version_left_is_not_gone_on_from(make, tmp_path, digest, word):
    folder = tmp_path / 'work_dirs/a/seed0'
    folder.mkdir(parents=True)
    (folder / 'epoch_2.pth').touch()
    run = RunFile(version=2, config='a', seed=0, config_hash=digest, job_type='train')
    (folder / 'run.json').write_text(run.text())
    assert f'a/seed0: {word}, ' in '\n'.join(make(task('a')).watcher.said)


@pytest.mark.parametrize(
    ('number', 'code'), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)]
)
def test_a_signal_is_passed_on_and_the_next_launch_goes_on(make, number, code):
    graceful = (
        'on(signal.SIGINT, lambda: (checkpoint("iter_7"), os._exit(130)))\n'
        'on(signal.SIGTERM, lambda: (checkpoint("iter_8"), os._exit(143)))\n'
        'checkpoint("ready"); time.sleep(60)'
    )
    thread = after(Path('work_dirs/a/seed0/ready.pth').exists, number)
    executor = make(task('a'), task('b'), steps=dict(a=[graceful, '']), parallel=1)
    thread.join()
    assert executor.signal == number
    assert words(executor) == dict(a='stopped', b='stopped')
    last = 'iter_7' if code == 130 else 'iter_8'
    assert Path(f'work_dirs/a/seed0/{last}.pth').exists()
    assert executor.suite.handed() == {} and starts('b') == []
    assert any('1 runs write a checkpoint and end' in line for line in executor.watcher.said)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    executor = make(task('a'), task('b'), steps=dict(a=['']), parallel=1)
    assert words(executor) == dict(a='done', b='done')


def test_a_second_signal_kills_all_that_a_run_has_started(make):
    deaf = (
        'signal.signal(signal.SIGINT, signal.SIG_IGN)\n'
        'import subprocess\n'
        'child = subprocess.Popen(["sleep", "60"], start_new_session=True)\n'
        'Path("child").write_text(str(child.pid)); checkpoint("ready"); time.sleep(60)'
    )
    thread = after(Path('work_dirs/a/seed0/ready.pth').exists, signal.SIGINT, signal.SIGINT)
    executor = make(task('a'), steps=dict(a=[deaf]))
    thread.join()
    assert words(executor) == dict(a='stopped')
    wait_until(functools.partial(is_dead, int(Path('child').read_text())))


def is_dead(pid):
    try:
        state = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()[0]
    except OSError:
        return True
    return state == 'Z'


def test_runs_die_with_a_launcher_that_is_killed(make):
    Path('launcher.py').write_text(LAUNCHER)
    Path('steps.json').write_text(json.dumps(dict(a=['time.sleep(60)'], b=['time.sleep(60)'])))
    path = os.pathsep.join([str(Path(__file__).parent), str(Path(__file__).parents[2]), *sys.path])
    launcher = subprocess.Popen(
        [sys.executable, 'launcher.py'], env=dict(os.environ, PYTHONPATH=path)
    )
    wait_until(lambda: starts('a') and starts('b'))
    launcher.kill()
    launcher.wait()
    for name in 'ab':
        [start] = starts(name)
        wait_until(functools.partial(is_dead, start['pid']))
    assert set(Suite(Path('work_dirs'), 'demo').handed()) == {'a/seed0', 'b/seed0'}


def test_cancelled_runs_are_stopped_and_others_go_on(make):
    def cancel():
        wait_until(Path('work_dirs/a/seed0/start0').exists)
        Suite(Path('work_dirs'), 'demo').cancel(['a/seed0', 'c/seed0'])

    thread = threading.Thread(target=cancel)
    thread.start()
    executor = make(task('a'), task('b'), task('c'), steps=dict(a=['time.sleep(60)']), parallel=1)
    thread.join()
    assert words(executor) == dict(a='cancelled', b='done', c='cancelled')
    assert executor.signal is None and executor.suite.handed() == {}
    assert words(make(task('a'))) == dict(a='done')  # another launch asks for it again


def test_a_run_that_another_process_took_first_has_not_failed(make):
    say = 'print("error: work_dirs/a is in use by process 7", file=sys.stderr); sys.exit({})'
    executor = make(task('a'), task('b'), steps=dict(a=[say.format(2)], b=[say.format(1)]))
    assert words(executor) == dict(a='in use', b='failed')
    assert any(
        line.startswith('a/seed0: left alone, another process works on it (process 7)')
        for line in executor.watcher.said
    )


def test_a_run_that_cannot_be_started_leaves_the_others_alone(make):
    """Its log cannot be written: a folder stands in its place."""
    Path('work_dirs/.logs/b/seed0.log').mkdir(parents=True)
    executor = make(*map(task, 'abc'), steps=dict(a=['time.sleep(0.5)']))
    assert words(executor) == dict(a='done', b='failed', c='done')
    assert any('b/seed0: FAILED: ' in line for line in executor.watcher.said)


def test_what_an_earlier_process_said_is_not_said_of_a_new_one(make):
    make(task('a'), steps=dict(a=['sys.exit("old")']))
    executor = make(task('a'), steps=dict(a=['sys.exit(1)']))
    assert executor.states[0].reason == 'no output'


def test_a_journal_on_a_full_disk_stops_no_run(make, tmp_path):
    with small_disk(tmp_path, '64k') as disk:
        Path('work_dirs').mkdir()
        Path('work_dirs/.suites').symlink_to(disk)
        fill = (
            f'rest = os.open({str(disk / "rest")!r}, os.O_WRONLY | os.O_CREAT)\n'
            'try:\n'
            '    while True: os.write(rest, b"x" * 4096)\n'
            'except OSError: pass\n'
            'with open("work_dirs/.suites/demo/journal.jsonl", "ab") as journal:\n'
            '    journal.write(b" " * (-journal.tell() % 4096 - 1) + b"\\n")'
        )
        executor = make(*map(task, 'ab'), steps=dict(a=[fill], b=['time.sleep(1)']), parallel=1)
        assert words(executor) == dict(a='done', b='done')
        said = [line for line in executor.watcher.said if 'No space left' in line]
        assert len(said) == 1 and said[0].endswith('; the runs go on')
