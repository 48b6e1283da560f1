"""What has been found sound already, on disk, so that a killed run goes on where it was."""

import os
from pathlib import Path
from typing import Any

from mmaction_ext.datasets.frame_names import FrameNames
from mmaction_ext.datasets.preparation.inspection import Inspection
from mmaction_ext.files.journal import Journal, json_line, read_json_lines
from mmaction_ext.files.writing import write_atomically

#: what a record has; one of anything else counts as not written
_KEYS = ('name', 'state', 'frames', 'listed')
_VERSION = 3  # 1 passed damaged frames, 2 counted as the container does


def signature(path: str | os.PathLike[str]) -> list[int] | None:
    """Size in bytes and time of change of a file or folder; ``None`` if it is not there.

    A frame that is overwritten in place changes neither of its folder's.
    """
    try:
        state = os.stat(path)
    except OSError:
        return None
    return [state.st_size, state.st_mtime_ns]


class CheckedItems:
    """Sound items, one JSON line each; good only while file and check stay the same.

    Faults are not recorded: what was broken is looked at again, since somebody may have mended
    a frame, which does not show in its folder.

    Args:
        path: the file; a line torn by a kill counts as not written.
        check: how thoroughly the items are looked at; entries of another check are dropped.
        fresh: whether to forget what is there.
    """

    def __init__(self, path: str | os.PathLike[str], check: str, fresh: bool = False) -> None:
        self._path = Path(path)
        self._header = {'journal': _VERSION, 'check': check}
        self._records = {} if fresh else self._read()

    def inspection(self, name: str, state: list[int] | None) -> Inspection | None:
        """What was found in an item, if that still holds in the given :func:`signature`."""
        record = self._records.get(name)
        if not record or record['state'] != state:
            return None
        names = record.get('names')
        return Inspection(
            record['frames'],
            listed_frames=record['listed'],
            frame_names=FrameNames(**names) if names else None,
        )

    def __enter__(self) -> 'CheckedItems':
        """Write what is known in one piece, and stay open for more."""
        lines = [self._header, *self._records.values()]
        write_atomically(self._path, b''.join(map(json_line, lines)))
        self._journal = Journal(self._path)
        return self

    def __exit__(self, *error: object) -> None:
        """Close the file."""
        self._journal.close()

    def add(self, name: str, state: list[int] | None, inspection: Inspection) -> None:
        """Record a sound item; it is in the file when this returns.

        Raises:
            OSError: it cannot be written; with the file's name.
        """
        if inspection.fault:
            return
        values = (name, state, inspection.num_frames, inspection.listed_frames)
        record: dict[str, Any] = dict(zip(_KEYS, values, strict=True))
        if inspection.frame_names:
            record['names'] = inspection.frame_names.settings()
        self._records[name] = record
        self._journal.append(json_line(record))

    def _read(self) -> dict[str, dict[str, Any]]:
        records = read_json_lines(self._path)
        if not records or records[0] != self._header:
            return {}
        return {
            record['name']: record
            for record in records[1:]
            if isinstance(record, dict) and record.keys() >= set(_KEYS)
        }
