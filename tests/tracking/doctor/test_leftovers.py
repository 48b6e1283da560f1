import os
import signal
import subprocess
import sys

import pytest
from doctor_runs import grow_old, only

from mmaction_ext.errors import InputError
from mmaction_ext.tracking.doctor import leftover_files, remove_leftovers
from mmaction_ext.tracking.writing.attempts import SPARE_FILE, RunLedger, read_run_file

#: begins an attempt at a run, as a training does, and dies
DYING = """
import json, os, signal, sys
from mmaction_ext.tracking.writing.attempts import RunLedger
RunLedger(sys.argv[1], json.loads(sys.argv[2]))
os.kill(os.getpid(), signal.SIGKILL)
"""


def leave(path):
    """A file that was left long ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('half')
    grow_old(path)
    return path


@pytest.fixture
def killed(runs):
    """Folder of a run whose process was killed, with the room it kept for its last entry."""
    folder = runs.train(exit_code=None)
    (folder / 'run.json').unlink()
    done = subprocess.run(
        [
            sys.executable,
            '-c',
            DYING,
            str(folder),
            '{"uid": "u", "config": "demo/full", "seed": 0, "config_hash": "h"}',
        ],
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(sys.path)),
    )
    assert done.returncode == -signal.SIGKILL and (folder / SPARE_FILE).exists()
    grow_old(folder / SPARE_FILE)
    return folder


def test_only_leftovers_of_dead_runs_are_removed(runs, hold):
    dead, alive = runs.train(0), runs.train(1)
    hold(alive)
    leftovers = [
        leave(dead / name) for name in ('heartbeat.tmp', 'results/1-8.json.tmp', 'run.json.tmp')
    ]
    for path in (
        alive / 'run.json.tmp',
        dead / 'notes.tmp',
        dead / 'epoch_2.pth.tmp',
        dead / 'notes.json.tmp',
    ):
        leave(path)
    fresh = dead.parent / 'seed2/run.json.tmp'
    fresh.parent.mkdir()
    fresh.write_text('about to be renamed')
    before = {path for path in runs.root.rglob('*') if path.is_file()}
    assert {place for check, place in runs.problems()} == {path.as_posix() for path in leftovers}
    assert sorted(remove_leftovers(['work_dirs'])) == sorted(leftovers)
    after = {path for path in runs.root.rglob('*') if path.is_file()}
    assert before - after == {runs.root / path for path in leftovers}


def test_a_killed_run_keeps_the_room_for_its_last_entry(runs, killed):
    assert not leftover_files('work_dirs') and not remove_leftovers(['work_dirs'])
    assert 'leftover file' not in {check for check, _ in runs.find()}
    assert (killed / SPARE_FILE).exists()


@pytest.mark.parametrize(
    'name',
    [
        'seed0.0123456789abcdef',
        'seed0-01234567.unknown.2',
        'seed0.0123456789abcdef/test',
        'test.0123456789abcdef',
    ],
)
def test_a_killed_run_that_was_set_aside_needs_it_no_more(runs, killed, name):
    aside = killed.parent / name
    aside.parent.mkdir(exist_ok=True)
    killed.rename(aside)
    spare = aside / SPARE_FILE
    assert only(runs.find(), 'leftover file')[:2] == (spare.as_posix(), 'warning')
    assert remove_leftovers(['work_dirs']) == [spare]
    assert not spare.exists() and (aside / 'run.json').exists()


@pytest.mark.parametrize(('exit_code', 'is_left'), [(0, True), (1, False), (None, False)])
def test_the_room_that_a_run_was_given_back_by_a_copy(runs, exit_code, is_left):
    spare = leave(runs.train(exit_code=exit_code) / SPARE_FILE)
    assert leftover_files('work_dirs') == [spare] * is_left


def test_a_finished_run_that_is_tested_again_keeps_its_room(runs, hold):
    folder = runs.train()
    leave(folder / SPARE_FILE)
    lock = hold(folder)
    assert not leftover_files('work_dirs')
    lock.close()
    assert leftover_files('work_dirs')
    with RunLedger(folder, read_run_file(folder)):
        assert not leftover_files('work_dirs')
    assert not (folder / SPARE_FILE).exists()


def test_a_file_that_cannot_be_deleted(runs, monkeypatch):
    path = leave(runs.train() / 'run.json.tmp')

    def refuse(self):
        raise PermissionError(13, 'Permission denied')

    monkeypatch.setattr(type(path), 'unlink', refuse)
    with pytest.raises(InputError, match=r'run.json.tmp cannot be deleted: Permission denied'):
        remove_leftovers(['work_dirs'])
