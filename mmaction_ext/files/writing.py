"""Files that are either as they were or as they shall be, whatever happens in between."""

import contextlib
import errno
import hashlib
import os
import secrets
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

from mmaction_ext.errors import InputError
from mmaction_ext.files.locks import try_lock, wait_for_lock
from mmaction_ext.files.reading import open_regular

FilePath = str | os.PathLike[str]
#: How the names of folders end in which files are being written.
UNFINISHED = '.mmaction_ext.tmp'


def write_atomically(path: FilePath, content: str | bytes, sync: bool = True) -> None:
    """Replace a file as a whole; no other process does so at the same time.

    Args:
        path: the file; its folder exists.
        content: its new content.
        sync: whether to outlast a power failure, too; takes milliseconds.

    Raises:
        OSError: it cannot be written, with its name; the file is then what it was before.
    """
    _replace({Path(path): (Path(f'{path}.tmp'), content)}, sync)


def write_output(path: FilePath, text: str | bytes) -> None:
    """As :func:`write_outputs`, of one file."""
    write_outputs({Path(path): text})


def write_outputs(contents: Mapping[Path, str | bytes]) -> None:
    """Replace the files that a command leaves behind, whoever else may do so, too.

    What a process that died has left of such files in their folders is removed.

    Args:
        contents: see :func:`replace_files`; the folders are made where there are none.

    Raises:
        InputError: one cannot be written.
    """
    for folder in dict.fromkeys(Path(path).parent for path in contents):
        with _refusing(), naming(next(path for path in contents if Path(path).parent == folder)):
            folder.mkdir(parents=True, exist_ok=True)
        remove_unfinished(folder)
    replace_files(contents)


def replace_files(contents: Mapping[Path, str | bytes], sync: bool = True) -> None:
    """Replace files once all of them are whole: a disk that fills up leaves each as it was.

    Args:
        contents: path to text, with the line ends that it is to have, or to bytes. The files
            take their places in this order.
        sync: whether to outlast a power failure, too.

    Raises:
        InputError: one cannot be written; if the disk is full or a folder stands in the place of
            one, all files are then what they were before.
    """
    with _refusing(), contextlib.ExitStack() as stack:
        places, files = {}, {}
        for path, content in contents.items():
            folder = Path(path).parent
            if folder not in places:
                with naming(path):
                    places[folder] = stack.enter_context(_unfinished_below(folder))
            files[path] = places[folder] / Path(path).name, content
        _replace(files, sync)


def _replace(files: Mapping[Path, tuple[Path, str | bytes]], sync: bool) -> None:
    """Write each file under a name of its own, and give them theirs when all are whole."""
    try:
        for path, (temporary, content) in files.items():
            with naming(path):
                if os.path.isdir(path):
                    raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
                with open(create_own(temporary), 'wb') as file:
                    _fill(file, content, sync)
        for path, (temporary, _) in files.items():
            with naming(path):
                os.replace(temporary, path)
    except BaseException:
        for temporary, _ in files.values():
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        raise
    for folder in dict.fromkeys(Path(path).parent for path in files) if sync else ():
        with naming(folder):
            sync_folder(folder)


@contextlib.contextmanager
def replacing(path: FilePath) -> Iterator[Path]:
    """A place to write a file to that has its own once the block is left, whole and on the disk.

    A block that fails, or that a kill breaks off, leaves the file as it was;
    :func:`remove_unfinished` takes away what a kill leaves.

    Args:
        path: the file; its folder exists.

    Raises:
        OSError: it cannot be written; it is then what it was before.
    """
    path = Path(path)
    with _unfinished_below(path.parent) as place:
        temporary = place / path.name
        yield temporary
        with naming(path):
            with open(temporary, 'rb') as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
            sync_folder(path.parent)


@contextlib.contextmanager
def _unfinished_below(folder: FilePath) -> Iterator[Path]:
    """A folder in a folder for files that are being written; gone in the end, with what is in it.

    The system takes the lock on it away from a process that dies, so that
    :func:`remove_unfinished` can tell.
    """
    place = Path(folder, f'.{secrets.token_hex(4)}{UNFINISHED}')
    descriptor = _make_locked(place)
    try:
        yield place
    finally:
        with contextlib.suppress(OSError):
            _remove(place)
        os.close(descriptor)


def _make_locked(place: Path) -> int:
    """Make a folder and lock it, where there are locks."""
    while True:
        place.mkdir(0o700)
        with contextlib.suppress(FileNotFoundError):  # taken for one whose writer died
            descriptor = os.open(place, os.O_RDONLY | os.O_CLOEXEC)
            with contextlib.suppress(OSError):
                wait_for_lock(descriptor)
            if place.is_dir():
                return descriptor
            os.close(descriptor)


def remove_unfinished(folder: FilePath) -> None:
    """Remove what processes that died have left in a folder of files they were writing."""
    for place in Path(folder).glob(f'.*{UNFINISHED}'):
        with contextlib.suppress(OSError):
            descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                if try_lock(descriptor):
                    _remove(place)
            finally:
                os.close(descriptor)


def _remove(place: Path) -> None:
    """Remove a folder and the files in it."""
    for path in place.iterdir():
        path.unlink()
    place.rmdir()


@contextlib.contextmanager
def naming(path: FilePath) -> Iterator[None]:
    """Give the errors of a file, which a full disk may cause, the file's name."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error


@contextlib.contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f'{error.filename} cannot be written: {error.strerror}') from error


def create_own(path: FilePath) -> int:
    """Make a file anew, in the place of whatever has its name.

    A link of that name is taken away, and what it led to stays as it is.

    Returns:
        A descriptor to write to.

    Raises:
        OSError: it cannot be made.
    """
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)


def open_own(path: FilePath, flags: int) -> int:
    """Open, or make, a file that a run goes on with; its folder may be from anywhere.

    Args:
        path: the file.
        flags: of ``os.open``, beside those that make it and follow no link.

    Raises:
        InputError: it is a link, of either kind, or no regular file: what is written would land
            elsewhere.
        OSError: it cannot be opened.
    """
    refuse_foreign(path)
    flags |= os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    return os.open(path, flags, 0o666)


def refuse_foreign(path: FilePath) -> None:
    """Make sure that a name leads to nothing, or to a regular file that has no other name.

    Raises:
        InputError: it does not.
    """
    refuse_link(path)
    with contextlib.suppress(FileNotFoundError):
        state = os.lstat(path)
        if not stat.S_ISREG(state.st_mode):
            raise InputError(f'{path} is no regular file; take it away')
        if state.st_nlink > 1:
            raise _link(path)


def refuse_link(path: FilePath) -> None:
    """Make sure that a file or folder of a run is no symbolic link.

    Raises:
        InputError: it is one.
    """
    if os.path.islink(path):
        raise _link(path)


def _link(path: FilePath) -> InputError:
    return InputError(f'{path} is a link: what a run writes would land elsewhere; take it away')


def _fill(file: BinaryIO, content: str | bytes, sync: bool) -> None:
    file.write(content.encode() if isinstance(content, str) else content)
    file.flush()
    if sync:
        os.fsync(file.fileno())


def sync_folder(folder: FilePath) -> None:
    """Bring the names of a folder's files to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def synced_size(path: FilePath) -> int:
    """How many bytes a file has, brought to the disk where the system can; 0 without a file."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return 0
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
        return os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)


def file_sha256(*paths: FilePath) -> str:
    """SHA-256 of the bytes of regular files, one after the other, in hexadecimal."""
    digest = hashlib.sha256()
    for path in paths:
        with open_regular(path, sys.maxsize) as file:
            while chunk := file.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()
