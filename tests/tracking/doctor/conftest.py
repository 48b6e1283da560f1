"""A working folder of runs, and the lock of one."""

import fcntl
import os

import pytest
from doctor_runs import Runs

from mmaction_ext.tracking.ledger import process
from mmaction_ext.tracking.ledger.format import LOCK_FILE
from mmaction_ext.tracking.writing.attempts import read_run_file


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """No runs yet, in the working folder."""
    monkeypatch.chdir(tmp_path)
    return Runs(tmp_path)


@pytest.fixture
def hold(runs):
    """Make a run this process's, as a training does; returns the lock, to be closed."""
    locks = []

    def hold(folder):
        lock = open(folder / LOCK_FILE, 'a+')
        fcntl.flock(lock, fcntl.LOCK_EX)
        locks.append(lock)
        *earlier, entry = read_run_file(folder)['attempts']
        runs.change(
            folder,
            attempts=[
                *earlier,
                dict(entry, pid=os.getpid(), process_start=process.process_start()),
            ],
        )
        return lock

    yield hold
    for lock in locks:
        lock.close()
