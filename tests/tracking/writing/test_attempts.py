"""Attempts: entered when they begin, and however they end."""

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import time

import pytest

from mmaction_ext.errors import InputError
from mmaction_ext.tracking.ledger import process
from mmaction_ext.tracking.ledger.forms import RunFile
from mmaction_ext.tracking.writing import attempts
from mmaction_ext.tracking.writing.attempts import (
    RunLedger,
    error_line,
    merge_sources,
    read_run_file,
    write_run_file,
)
from mmaction_ext.tracking.writing.metrics_file import MetricsFile

FACTS = dict(
    uid='u',
    config='a/b',
    seed=0,
    config_hash='h',
    job_type='train',
    git=dict(commit='abc'),
    sources={'x.py': '1', 'y.py': '2'},
    initial_checkpoint=dict(path='w.pth', sha256='s'),
    recipe=dict(lr=float('inf')),
)


def entries(folder):
    return json.loads((folder / 'run.json').read_text())['attempts']


def entry(folder):
    """The only attempt at a run."""
    [found] = entries(folder)
    return found


def test_beginning_says_what_runs_where(tmp_path, monkeypatch):
    monkeypatch.setenv('SLURM_JOB_ID', '77')
    monkeypatch.setattr(time, 'time', lambda: 5.0)
    with RunLedger(tmp_path, FACTS, world_size=8) as attempt:
        content = read_run_file(tmp_path)
        assert content.pop('attempts') == [
            dict(
                number=1,
                host=process.host(),
                boot_id=process.boot_id(),
                pid=os.getpid(),
                process_start=process.process_start(),
                slurm_job='77',
                start=5.0,
                end=None,
                exit_code=None,
                signal=None,
                last_error=None,
                world_size=8,
                resumed_from_iter=None,
                commit='abc',
                wandb=None,
            )
        ]
        assert content == dict(FACTS, schema=2)
        assert (attempt.number, attempt.run) == (1, dict(uid='u', job_type='train'))
        attempt.update(resumed_from_iter=12, wandb='x/run-u.wandb')
        assert entry(tmp_path)['resumed_from_iter'] == 12
    found = entry(tmp_path)
    assert (found['end'], found['exit_code'], found['wandb']) == (5.0, 0, 'x/run-u.wandb')


def loader_error():
    try:
        raise ValueError(
            'Caught ValueError in DataLoader worker process 0.\n'
            'Original Traceback (most recent call last):\n  File "x", line 1\n'
            'OSError: no such video'
        )
    except ValueError as error:
        return error


@pytest.mark.parametrize(
    'error, code, signal_name, line',
    [
        (RuntimeError('shapes differ\nhint: none'), 1, None, 'RuntimeError: shapes differ'),
        (InputError('a.mp4 cannot be decoded'), 2, None, 'a.mp4 cannot be decoded'),
        (
            OSError(errno.ENOSPC, 'No space left on device'),
            2,
            None,
            'OSError: [Errno 28] No space left on device',
        ),
        (OSError(errno.EIO, 'disk'), 1, None, 'OSError: [Errno 5] disk'),
        (KeyboardInterrupt(), 130, 'SIGINT', None),
        (SystemExit(3), 3, None, None),
        (SystemExit(), 0, None, None),
        (SystemExit('no'), 1, None, None),
        (loader_error(), 1, None, 'OSError: no such video'),
        (KeyError(), 1, None, 'KeyError'),
    ],
)
def test_end_by_an_exception_says_which(tmp_path, error, code, signal_name, line):
    with pytest.raises(type(error)), RunLedger(tmp_path, FACTS):
        raise error
    found = entry(tmp_path)
    assert (found['exit_code'], found['signal'], found['last_error']) == (code, signal_name, line)
    assert found['end'] >= found['start']


def test_interrupt_that_a_library_disguised_is_one(tmp_path):
    """As mmengine's ``pretty_text`` does while a checkpoint is saved."""
    with pytest.raises(KeyboardInterrupt), RunLedger(tmp_path, FACTS):
        try:
            raise KeyboardInterrupt
        except BaseException as error:
            raise SyntaxError('cannot be formatted') from error
    found = entry(tmp_path)
    assert (found['exit_code'], found['signal'], found['last_error']) == (130, 'SIGINT', None)


def test_end_tells_how_much_was_logged(tmp_path):
    with RunLedger(tmp_path, FACTS) as attempt:
        file = MetricsFile(tmp_path, attempt.number)
        file.append('train', 1, 1, {'train/loss': 0.5})
    file.close()
    assert entry(tmp_path)['metrics_bytes'] == (tmp_path / 'metrics.jsonl').stat().st_size > 0


def test_endless_error_is_cut():
    assert error_line(ValueError('x' * 10_000)) == 'ValueError: ' + 'x' * 488


def test_heartbeat_stops_and_the_folder_is_free_at_the_end(tmp_path):
    lock = open(tmp_path / 'run.lock', 'a')
    fcntl.flock(lock, fcntl.LOCK_EX)
    with open(tmp_path / 'run.lock') as other:
        with RunLedger(tmp_path, FACTS, lock=lock) as attempt:
            attempt.heartbeat.iteration = lambda: 7
            with pytest.raises(BlockingIOError):
                fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)
    assert json.loads((tmp_path / 'heartbeat').read_text())['iter'] == 7


PROGRAM = """
import os, sys, time
from mmaction_ext.tracking.writing import termination
from mmaction_ext.tracking.writing.attempts import RunLedger
with RunLedger(sys.argv[1], {}) as attempt:
    termination.at_termination(lambda signum: os._exit(5))  # must come second
    attempt.expect_termination()
    if os.fork() == 0:
        time.sleep(60)
    print('going', flush=True)
    time.sleep(60)
"""


def start(folder, program=PROGRAM):
    child = subprocess.Popen(
        [sys.executable, '-c', program, str(folder)],
        text=True,
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert child.stdout.readline() == 'going\n'
    return child


def test_sigterm_is_recorded_before_anything_else(tmp_path):
    child = start(tmp_path)
    os.killpg(child.pid, signal.SIGTERM)
    assert child.wait(30) == 5
    found = entry(tmp_path)
    assert (found['exit_code'], found['signal'], found['pid']) == (143, 'SIGTERM', child.pid)
    assert found['last_error'] is None and found['end'] >= found['start']


def test_ctrl_c_is_recorded(tmp_path):
    child = start(tmp_path)
    child.send_signal(signal.SIGINT)
    assert child.wait(30) == -signal.SIGINT
    os.killpg(child.pid, signal.SIGKILL)  # the fork, which made no entry
    assert (entry(tmp_path)['exit_code'], entry(tmp_path)['signal']) == (130, 'SIGINT')


def test_killed_attempt_has_no_end_and_the_next_its_own_entry(tmp_path):
    child = start(tmp_path)
    os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    first = entry(tmp_path)
    with RunLedger(tmp_path, FACTS) as attempt:
        assert attempt.number == 2
    assert entries(tmp_path)[0] == first
    assert [each['exit_code'] for each in entries(tmp_path)] == [None, 0]
    assert first['end'] is None and first['signal'] is None


def test_fork_that_leaves_the_block_enters_nothing(tmp_path):
    with RunLedger(tmp_path, FACTS) as attempt:
        child = os.fork()
        if child == 0:
            try:
                attempt.__exit__(RuntimeError, RuntimeError('loader'), None)
            finally:
                os._exit(0)
        os.waitpid(child, 0)
        assert entry(tmp_path)['exit_code'] is None


class Silent:
    """A heartbeat that does not beat."""

    def stop(self):
        pass


def test_clock_that_goes_back_between_attempts_changes_no_order(tmp_path, monkeypatch):
    clock = iter([1000.0, 900.0, 10.0, 20.0])
    monkeypatch.setattr(attempts.time, 'time', lambda: next(clock))
    monkeypatch.setattr(
        attempts, 'Heartbeat', lambda *args, **how: Silent()
    )  # the clock is not its
    for _ in range(2):
        with RunLedger(tmp_path, FACTS):
            pass
    assert [(each['number'], each['start'], each['end']) for each in entries(tmp_path)] == [
        (1, 1000.0, 900.0),
        (2, 10.0, 20.0),
    ]


def test_record_of_before_there_was_a_ledger_is_extended(tmp_path):
    (tmp_path / 'run.json').write_text('{"config": "a/b", "seed": 0, "config_hash": "h"}')
    with RunLedger(tmp_path, FACTS):
        pass
    assert read_run_file(tmp_path)['uid'] == 'u' and entry(tmp_path)['number'] == 1


def test_what_is_no_record_is_empty(tmp_path):
    assert read_run_file(tmp_path) == {}
    write_run_file(tmp_path, RunFile(seed=3))
    assert read_run_file(tmp_path) == dict(seed=3)
    altered = (tmp_path / 'run.json').read_text().replace('3', '4', 1)
    for text in ('{"conf', '[1]', '', altered):
        (tmp_path / 'run.json').write_text(text)
        assert read_run_file(tmp_path) == {}


def test_run_that_goes_on_keeps_its_first_weights_and_all_code_it_ran_on(tmp_path):
    with RunLedger(tmp_path, FACTS):
        pass
    now = dict(FACTS, initial_checkpoint=None, sources={'x.py': '1', 'y.py': '3', 'z.py': '4'})
    with RunLedger(tmp_path, now, resumes=True):
        pass
    content = read_run_file(tmp_path)
    assert content['initial_checkpoint'] == dict(path='w.pth', sha256='s')
    assert content['sources'] == {'x.py': '1', 'y.py': '2 3', 'z.py': '4'}
    with RunLedger(tmp_path, now):  # from scratch again
        pass
    content = read_run_file(tmp_path)
    assert content['initial_checkpoint'] is None and content['sources'] == now['sources']


def test_code_that_was_changed_and_changed_back_counts_as_changed():
    merged = merge_sources(merge_sources({'x': '1'}, {'x': '2'}), {'x': '1'})
    assert merged == {'x': '1 2 1'}
    assert merge_sources(merged, {'x': '1'}) == merged


def test_full_disk_at_the_beginning_leaves_the_record_as_it_was(tiny_disk, fill):
    with RunLedger(tiny_disk, FACTS):
        pass
    before = (tiny_disk / 'run.json').read_bytes()
    fill(tiny_disk)
    with pytest.raises(OSError, match='No space left'):
        RunLedger(tiny_disk, FACTS)
    assert (tiny_disk / 'run.json').read_bytes() == before


def test_end_on_a_full_disk_is_recorded(tiny_disk, fill):
    with pytest.raises(ValueError), RunLedger(tiny_disk, FACTS) as attempt:
        fill(tiny_disk)
        with pytest.raises(OSError, match='No space left'):
            attempt.update(resumed_from_iter=3)
        raise ValueError('the reason')
    assert entry(tiny_disk)['last_error'] == 'ValueError: the reason'
    assert not list(tiny_disk.glob('*.spare'))


@pytest.mark.parametrize('recipe, error', [({}, 'x' * 400), ({'names': ['x' * 80] * 150}, 'y')])
def test_end_of_any_length_is_recorded_on_a_full_disk(tiny_disk, fill, recipe, error):
    """Of a record that is longer than the room for its last entry, and with a long last entry."""
    facts = dict(FACTS, recipe=recipe)
    with pytest.raises(ValueError), RunLedger(tiny_disk, facts) as attempt:
        attempt.heartbeat.stop()  # its file would leave room when it is replaced
        assert (
            (tiny_disk / 'run.json.spare').stat().st_size
            >= (tiny_disk / 'run.json').stat().st_size + attempts.SPARE_BYTES
            >= 8192
        )
        fill(tiny_disk)
        raise ValueError(error)
    assert entry(tiny_disk)['last_error'] == f'ValueError: {error}'
    assert read_run_file(tiny_disk)['recipe'] == recipe


def test_end_without_any_room_does_not_hide_the_reason(tiny_disk, fill):
    for error in (ValueError, OSError):
        with pytest.raises(error), RunLedger(tiny_disk, FACTS) as attempt:
            attempt.heartbeat.stop()  # its file would leave room when it is replaced
            (tiny_disk / 'run.json.spare').unlink()
            fill(tiny_disk)
            if error is ValueError:
                raise ValueError('the reason')
        assert entries(tiny_disk)[-1]['exit_code'] is None  # what was there is whole
        (tiny_disk / 'ballast').unlink()
    assert len(entries(tiny_disk)) == 2
