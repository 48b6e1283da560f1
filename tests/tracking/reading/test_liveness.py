import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time

import ledger_runs
import pytest

from mmaction_ext.tracking.ledger import process
from mmaction_ext.tracking.ledger.forms import HeartbeatFile
from mmaction_ext.tracking.reading.liveness import state_of

_HOLDER = """
import fcntl, os, sys, time
lock = open(sys.argv[1], 'a+')
fcntl.flock(lock, fcntl.LOCK_EX)
if len(sys.argv) > 2 and os.fork() == 0:
    time.sleep(600)
print('locked', flush=True)
time.sleep(600)
"""


def elsewhere(**facts):
    """An attempt on another machine without an end."""
    return ledger_runs.entry(exit_code=None, host='elsewhere', boot_id='b', **facts)


@pytest.fixture
def holder(tmp_path):
    """Start a process that holds the lock of a run's folder; returns its entry in the ledger."""
    started = []

    def start(*args):
        child = subprocess.Popen(
            [sys.executable, '-c', _HOLDER, str(tmp_path / 'run.lock'), *args],
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        started.append(child)
        child.stdout.readline()
        entry = ledger_runs.entry(
            exit_code=None,
            pid=child.pid,
            start=time.time(),
            process_start=process.process_start(child.pid),
        )
        return child, entry

    yield start
    for child in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


@pytest.mark.parametrize(('exit_code', 'state'), [(0, 'finished'), (1, 'failed'), (143, 'failed')])
def test_ended_by_its_own_word(tmp_path, exit_code, state):
    assert state_of(ledger_runs.entry(exit_code=exit_code), None, tmp_path) == state


def test_killed_process_loses_its_lock(tmp_path, holder):
    child, entry = holder()
    assert state_of(entry, None, tmp_path) == 'running'
    child.kill()
    child.wait()
    assert state_of(entry, None, tmp_path) == 'killed'


def test_asking_takes_no_lock(tmp_path):
    (tmp_path / 'run.lock').touch()
    assert state_of(ledger_runs.entry(exit_code=None), None, tmp_path) == 'killed'
    with open(tmp_path / 'run.lock') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_loader_that_outlives_its_run_does_not_count_for_long(tmp_path, holder):
    child, entry = holder('with a child')
    child.kill()
    child.wait()
    beat = HeartbeatFile(attempt=1, time=time.time())
    assert state_of(entry, beat, tmp_path) == 'running'
    entry.start = beat.time = time.time() - 60
    assert state_of(entry, beat, tmp_path) == 'killed'


@pytest.mark.parametrize(
    ('seconds_ago', 'state'),
    [(0, 'running'), (170, 'running'), (190, 'killed'), (-170, 'running'), (-200, 'unknown')],
)
def test_heartbeat_of_another_machine(tmp_path, seconds_ago, state):
    beat = HeartbeatFile(attempt=1, time=time.time() - seconds_ago)
    assert state_of(elsewhere(start=0.0), beat, tmp_path) == state


def test_heartbeat_of_an_earlier_attempt_says_nothing(tmp_path):
    beat = HeartbeatFile(attempt=1, time=time.time())
    assert state_of(elsewhere(number=2, start=0.0), beat, tmp_path) == 'killed'
    assert state_of(elsewhere(number=2, start=time.time()), beat, tmp_path) == 'running'
    assert state_of(elsewhere(start=None), None, tmp_path) == 'killed'


def test_restarted_machine(tmp_path):
    (tmp_path / 'run.lock').touch()
    entry = ledger_runs.entry(exit_code=None, boot_id='another')
    assert state_of(entry, HeartbeatFile(attempt=1, time=time.time() - 600), tmp_path) == 'killed'


def test_lock_that_cannot_be_asked_for(tmp_path):
    (tmp_path / 'run.lock').symlink_to('run.lock')
    entry = ledger_runs.entry(exit_code=None)
    assert state_of(entry, HeartbeatFile(attempt=1, time=time.time()), tmp_path) == 'running'
    assert state_of(entry, HeartbeatFile(attempt=1, time=0), tmp_path) == 'killed'
