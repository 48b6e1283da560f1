"""Files that are either as they were or as they shall be, whatever happens in between."""

import hashlib
import os
from pathlib import Path


def write_atomically(path, text: str, sync: bool = True) -> None:
    """Replace a file as a whole.

    Args:
        path: the file; its folder exists.
        text: its new content.
        sync: whether to outlast a power failure, too; takes milliseconds.

    Raises:
        OSError: it cannot be written; the file is then what it was before.
    """
    path = Path(path)
    temporary = path.with_name(f'{path.name}.tmp')
    with open(temporary, 'w', encoding='utf-8') as file:
        file.write(text)
        if sync:
            file.flush()
            os.fsync(file.fileno())
    os.replace(temporary, path)
    if sync:
        sync_folder(path.parent)


def sync_folder(folder) -> None:
    """Bring the names of a folder's files to the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def file_sha256(path) -> str:
    """SHA-256 of a file's bytes in hexadecimal."""
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
