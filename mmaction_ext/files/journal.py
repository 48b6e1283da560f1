"""Files that grow by a line per record, so that a kill costs none that was written."""

import contextlib
import json
import os
from pathlib import Path
from typing import Any

from mmaction_ext.files.writing import naming, open_own, sync_folder


class Journal:
    """Appends lines to a file, each whole or not at all.

    A line is with the system once :meth:`append` returns: a kill does not lose it. A line that an
    earlier process left half written is ended, so that it spoils no other.

    Args:
        path: the file, which is made where there is none.

    Raises:
        InputError: the file is a link.
        OSError: it cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._descriptor = open_own(path, os.O_RDWR | os.O_APPEND)
        sync_folder(self._path.parent)
        size = self._size()
        if size and os.pread(self._descriptor, 1, size - 1) != b'\n':
            self.append(b'\n')

    def append(self, line: bytes, sync: bool = False) -> None:
        """Write a line all or not at all; a disk that fills up takes part of it first.

        Args:
            line: with its newline.
            sync: whether it, and all before it, shall outlast a power failure, too.

        Raises:
            OSError: the disk is full, for one; nothing of the line is then in the file.
        """
        start = self._size()
        with naming(self._path):
            try:
                while line:
                    line = line[os.write(self._descriptor, line) :]
            except OSError:
                os.ftruncate(self._descriptor, start)
                raise
            if sync:
                os.fsync(self._descriptor)

    def close(self) -> None:
        """Bring all lines to the disk and close the file."""
        with naming(self._path):
            try:
                os.fsync(self._descriptor)
            finally:
                os.close(self._descriptor)

    def __enter__(self) -> 'Journal':
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _size(self) -> int:
        return os.fstat(self._descriptor).st_size


def json_line(record: Any) -> bytes:
    """The line of a record of plain data, with its newline."""
    return json.dumps(record).encode() + b'\n'


def read_json_lines(path: str | os.PathLike[str]) -> list[Any]:
    """Records of a file of :func:`json_line`; a line torn by a kill counts as not written.

    Returns:
        What its lines hold; empty where there is no file.
    """
    records = []
    with contextlib.suppress(FileNotFoundError):
        for line in Path(path).read_bytes().splitlines():
            with contextlib.suppress(ValueError):
                records.append(json.loads(line))
    return records
