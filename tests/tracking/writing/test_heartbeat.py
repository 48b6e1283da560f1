"""The sign of life: it goes on by itself and stops nothing."""

import json
import os
import subprocess
import sys
import threading
import time

from mmaction_ext.tracking.ledger import process
from mmaction_ext.tracking.writing import termination
from mmaction_ext.tracking.writing.attempts import RunLedger
from mmaction_ext.tracking.writing.heartbeat import Heartbeat


def read(folder):
    return json.loads((folder / 'heartbeat').read_text())


def wait_for(condition):
    for _ in range(2000):
        if condition():
            return
        time.sleep(0.01)
    raise AssertionError('waited in vain')


def test_it_tells_who_lives_and_how_far_the_run_is(tmp_path):
    heartbeat = Heartbeat(tmp_path, 2, seconds=0.01)
    heartbeat.iteration = lambda: 41
    wait_for(lambda: (tmp_path / 'heartbeat').exists() and read(tmp_path)['iter'] == 41)
    first = read(tmp_path)
    assert (
        first.items()
        >= dict(attempt=2, pid=os.getpid(), host=process.host(), boot_id=process.boot_id()).items()
    )
    wait_for(lambda: read(tmp_path)['beat'] > first['beat'] + 2)
    heartbeat.stop()


def test_last_beat_is_that_of_the_end(tmp_path):
    heartbeat = Heartbeat(tmp_path, 1, seconds=1000)
    wait_for(lambda: (tmp_path / 'heartbeat').exists())
    heartbeat.iteration = lambda: 99
    heartbeat.stop()
    assert (read(tmp_path)['iter'], read(tmp_path)['beat']) == (99, 2)
    assert 'heartbeat' not in [thread.name for thread in threading.enumerate()]


def test_beats_that_cannot_be_written_are_left_out(tmp_path):
    folder = tmp_path / 'run'
    folder.mkdir()
    heartbeat = Heartbeat(folder, 1, seconds=0.01)
    wait_for(lambda: (folder / 'heartbeat').exists())
    folder.rename(tmp_path / 'away')
    before = read(tmp_path / 'away')['beat']
    time.sleep(0.1)
    (tmp_path / 'away').rename(folder)
    wait_for(lambda: read(folder)['beat'] > before + 1)
    heartbeat.stop()


def test_full_disk_does_not_stop_it(tiny_disk, fill):
    fill(tiny_disk)
    heartbeat = Heartbeat(tiny_disk, 1, seconds=0.01)
    time.sleep(0.1)
    assert not (tiny_disk / 'heartbeat').exists()
    (tiny_disk / 'ballast').unlink()
    wait_for(lambda: (tiny_disk / 'heartbeat').exists())
    heartbeat.stop()


def test_fault_of_what_it_asks_is_said_once_and_does_not_stop_it(tmp_path, monkeypatch):
    said, answers = [], iter([5])
    monkeypatch.setattr(threading, 'excepthook', said.append)
    heartbeat = Heartbeat(tmp_path, 1, seconds=0.01)
    heartbeat.iteration = lambda: next(answers)  # StopIteration from the second time on
    wait_for(lambda: said)
    beat = read(tmp_path)['beat']
    wait_for(lambda: read(tmp_path)['beat'] > beat + 2)
    heartbeat.stop()
    assert read(tmp_path)['iter'] == 5
    [(kind, _, _, thread)] = said
    assert (kind, thread.name) == (StopIteration, 'heartbeat')


def test_clock_that_goes_back_does_not_change_the_count(tmp_path, monkeypatch):
    heartbeat = Heartbeat(tmp_path, 1, seconds=0.01)
    wait_for(lambda: (tmp_path / 'heartbeat').exists())
    monkeypatch.setattr(time, 'time', lambda: 5.0)
    wait_for(lambda: read(tmp_path)['time'] == 5.0)
    beat = read(tmp_path)['beat']
    wait_for(lambda: read(tmp_path)['beat'] > beat)
    heartbeat.stop()


SUPERSEDED = """
import sys, time
from mmaction_ext.tracking.writing import termination
from mmaction_ext.tracking.writing.attempts import RunLedger
facts = dict(uid='u', job_type='train', config='c', seed=0, config_hash='h')
ledger = RunLedger(sys.argv[1], facts)
print('begun', flush=True)
sys.stdin.readline()
for number in range(2, 99):
    ledger.heartbeat._attempt(ledger.heartbeat._beat, number)
    time.sleep(0.05)
"""


def test_process_whose_place_another_has_taken_gives_way_and_writes_nothing(tmp_path):
    """A machine that was cut off, or suspended, comes back."""
    facts = dict(uid='u', job_type='train', config='c', seed=0, config_hash='h')
    old = subprocess.Popen(
        [sys.executable, '-c', SUPERSEDED, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert old.stdout.readline() == 'begun\n'
    with RunLedger(tmp_path, facts) as ledger:
        wait_for(lambda: read(tmp_path)['attempt'] == 2)
        _, said = old.communicate('go on\n')
        assert old.returncode == 2
        assert f'{tmp_path} is in use by process {os.getpid()} on {process.host()}' in said
        assert read(tmp_path)['attempt'] == 2 and not ledger.successor()
    attempts = json.loads((tmp_path / 'run.json').read_text())['attempts']
    assert [each['exit_code'] for each in attempts] == [None, 0]


def test_end_of_an_attempt_leaves_a_later_one_in_the_ledger(tmp_path):
    facts = dict(uid='u', job_type='train', config='c', seed=0, config_hash='h')
    first = RunLedger(tmp_path, facts)
    first.heartbeat.stop()
    termination.remove(first._terminate)
    with RunLedger(tmp_path, facts) as second:
        first.end(0)
        second.update(resumed_from_iter=4)
    attempts = json.loads((tmp_path / 'run.json').read_text())['attempts']
    assert [each['exit_code'] for each in attempts] == [None, 0]
    assert attempts[1]['resumed_from_iter'] == 4
