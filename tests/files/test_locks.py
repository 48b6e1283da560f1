"""Locks between processes."""

import fcntl
import os
import time

import pytest

from mmaction_ext.errors import InputError
from mmaction_ext.files.locks import LockFile, is_locked, locked_folder, try_lock


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / 'file').write_text('')
    for folder in ('file', 'file/reports'):
        with pytest.raises(InputError, match=f'{folder} cannot be written: '):
            with locked_folder(tmp_path / folder):
                pass


def test_folder_is_free_again_after_an_error(tmp_path):
    for _ in range(2):
        with pytest.raises(KeyError):
            with locked_folder(tmp_path / 'reports'):
                raise KeyError
    assert list((tmp_path / 'reports').iterdir()) == []


def test_file_says_who_holds_its_lock(tmp_path):
    path = tmp_path / 'run.lock'
    path.write_text('1234567 and more')
    with LockFile(path) as first, LockFile(path) as second:
        assert first.holder == '1234567 and more' and is_locked(path) is False
        assert first.take() and not second.take() and is_locked(path) is True
        assert second.holder == str(os.getpid()) and path.read_text() == f'{os.getpid()}\n'
        first.close()
        assert is_locked(path) is False and second.take(wait=True)
    assert is_locked(path) is False


def test_nobody_holds_the_lock_of_a_file_that_is_not_there(tmp_path):
    assert is_locked(tmp_path / 'run.lock') is False and os.listdir(tmp_path) == []
    (tmp_path / 'run.lock').symlink_to('run.lock')
    assert is_locked(tmp_path / 'run.lock') is None
    with pytest.raises(OSError, match=r'run\.lock'):
        LockFile(tmp_path / 'run.lock')


def test_two_that_ask_at_once_do_not_take_each_other_for_the_holder(tmp_path):
    with open(tmp_path / 'run.lock', 'w') as other:
        fcntl.flock(other, fcntl.LOCK_SH)
        assert is_locked(tmp_path / 'run.lock') is False


def test_where_there_are_no_locks(tmp_path, monkeypatch):
    def fail(*args):
        raise OSError(37, 'No locks available')

    monkeypatch.setattr(fcntl, 'flock', fail)
    with LockFile(tmp_path / 'lock') as lock:
        for wait in (False, True):
            with pytest.raises(OSError, match='No locks'):
                lock.take(wait)
        assert is_locked(tmp_path / 'lock') is None
    with locked_folder(tmp_path):
        pass


def test_forks_do_not_hold_on_to_a_lock(tmp_path):
    with LockFile(tmp_path / 'lock') as lock:
        assert lock.take()
        child = os.fork()
        if not child:
            time.sleep(60)
            os._exit(0)
        lock.close()
        deadline = time.time() + 10
        while is_locked(tmp_path / 'lock') and time.time() < deadline:
            time.sleep(0.01)
        assert is_locked(tmp_path / 'lock') is False and os.waitpid(child, os.WNOHANG) == (0, 0)
        os.kill(child, 9)
        os.waitpid(child, 0)


def test_folder_can_be_locked_without_waiting(tmp_path):
    descriptors = [os.open(tmp_path, os.O_RDONLY) for _ in range(2)]
    assert [try_lock(each) for each in descriptors] == [True, False]
    os.close(descriptors[0])
    assert try_lock(descriptors[1])
    os.close(descriptors[1])
