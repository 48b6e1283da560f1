"""Files that are either as they were or as they shall be, whatever happens in between."""

import contextlib
import hashlib
import os
from pathlib import Path

from mmaction_ext.errors import InputError


def write_atomically(path, text: str, sync: bool = True) -> None:
    """Replace a file as a whole; no other process does so at the same time.

    Args:
        path: the file; its folder exists.
        text: its new content.
        sync: whether to outlast a power failure, too; takes milliseconds.

    Raises:
        OSError: it cannot be written; the file is then what it was before.
    """
    path = Path(path)
    _write_and_rename(path.with_name(f'{path.name}.tmp'), path, text, sync)


def write_output(path, text: str) -> None:
    """Replace a file as a whole that a command leaves behind, whoever else may do so, too.

    Args:
        path: the file; its folder is made where there is none.
        text: its new content, with the line ends that it is to have.

    Raises:
        InputError: it cannot be written; the file is then what it was before.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_and_rename(path.with_name(f'{os.getpid()}.{path.name}.tmp'), path, text, True)
    except OSError as error:
        raise InputError(f'{path} cannot be written: {error.strerror}') from error


def _write_and_rename(temporary, path, text, sync) -> None:
    try:
        with open(temporary, 'w', encoding='utf-8', newline='') as file:
            file.write(text)
            if sync:
                file.flush()
                os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    if sync:
        sync_folder(path.parent)


def sync_folder(folder) -> None:
    """Bring the names of a folder's files to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def synced_size(path) -> int:
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


def file_sha256(path) -> str:
    """SHA-256 of a file's bytes in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
