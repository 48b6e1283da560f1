"""Locks between processes, which the system takes away from one that dies.

All are ``flock`` on an open file or folder. ``filelock``, which torch brings along, is that too,
but it locks no folder, does not tell who holds a lock, cannot ask for one without taking it, and
where a network file system has no locks it turns to marker files, which outlive a process that was
killed.
"""

import contextlib
import fcntl
import functools
import os
import weakref
from collections.abc import Callable, Iterator
from io import FileIO
from pathlib import Path

from mmaction_ext.errors import InputError


def try_lock(descriptor: int) -> bool:
    """Lock an open file or folder, unless another process has; whether it is locked now.

    Raises:
        OSError: there are no locks, as on some network file systems.
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def wait_for_lock(descriptor: int) -> None:
    """Lock an open file or folder once no other process does.

    Raises:
        OSError: as :func:`try_lock`.
    """
    fcntl.flock(descriptor, fcntl.LOCK_EX)


def is_locked(path: str | os.PathLike[str]) -> bool | None:
    """Whether a process holds the lock on a file; ``None`` where that cannot be found out.

    Asking takes no lock that would keep anybody out, or that others who ask would see.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    finally:
        os.close(descriptor)
    return False


@contextlib.contextmanager
def locked_folder(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Keep every other process that asks for it out of a folder; wait while one is in it.

    Whoever renews files there, of which others renew other parts, reads and writes them inside.
    The folder is made where there is none. The lock on it leaves no file, and does nothing on file
    systems that have no locks.

    Raises:
        InputError: the folder cannot be made or opened.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise InputError(f'{folder} cannot be written: {error.strerror}') from error
    try:
        with contextlib.suppress(OSError):
            wait_for_lock(descriptor)
        yield
    finally:
        os.close(descriptor)


class LockFile:
    """A file to be locked, which names the process that holds, or last held, the lock on it.

    Forks of this process, such as loader processes, do not hold on to the lock: it ends with this
    process, though they outlive it.

    Args:
        path: the file, which is made where there is none; no link to one.

    Raises:
        OSError: it cannot be opened.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        self._file = FileIO(os.open(path, flags, 0o666), 'ab+')
        os.register_at_fork(after_in_child=functools.partial(_close, weakref.ref(self._file)))

    def take(self, wait: bool = False) -> bool:
        """Lock the file, and write this process's number into it.

        Args:
            wait: whether to wait while another process holds the lock.

        Returns:
            Whether it is locked now.

        Raises:
            OSError: as :func:`try_lock`.
        """
        if wait:
            wait_for_lock(self._file.fileno())
        elif not try_lock(self._file.fileno()):
            return False
        with contextlib.suppress(OSError):  # a full disk keeps nobody from working
            self._file.truncate(0)
            self._file.write(f'{os.getpid()}\n'.encode())
        return True

    @property
    def holder(self) -> str:
        """Number of the process that holds, or last held, the lock; empty if it is not told."""
        self._file.seek(0)
        return self._file.read(64).decode(errors='replace').strip()

    def close(self) -> None:
        """Let go of the lock."""
        self._file.close()

    def __enter__(self) -> 'LockFile':
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def _close(reference: Callable[[], FileIO | None]) -> None:
    """Close a file that is still there."""
    if file := reference():
        file.close()
