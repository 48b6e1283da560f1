"""What was read from files that have not changed since.

One small file per log, in a folder of the user's cache directory for each folder of runs.
"""

import functools
import hashlib
import json
import os
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import pydantic_core

from mmaction_ext.files.cache_folder import CacheFolder, is_settled, state_facts
from mmaction_ext.tracking.ledger.format import parse_json
from mmaction_ext.tracking.reading.record import Attempt
from mmaction_ext.tracking.reading.rows import Row

#: what of an attempt a file does not say, or its rows do
_NOT_KEPT = frozenset(
    {'root', 'path', 'history', 'rows', 'phases', 'results', 'tags', 'summary', 'entry', 'ledger'}
)


@dataclass
class Entry:
    """The attempts of one file, with their rows packed.

    Attributes:
        heads: the attempts without their rows.
        packed: their rows, as JSON; ``None`` where a cache keeps them.
        is_read: whether the file could be read.
    """

    heads: list[Attempt]
    packed: bytes | None
    is_read: bool = True

    @classmethod
    def of(cls, attempts: list[Attempt], is_read: bool = True) -> 'Entry':
        """Pack attempts as a file tells of them."""
        heads = [replace(attempt, rows={}) for attempt in attempts]
        rows = [
            {phase: pack(rows) for phase, rows in sorted(attempt.rows.items())}
            for attempt in attempts
        ]
        return cls(heads, to_text(rows), is_read)

    def attempts(self, root: Path, path: str) -> list[Attempt]:
        """Unpack; ``root`` and ``path`` are what the attempts are to name as their file."""
        return [
            replace(
                head,
                root=root,
                path=path,
                rows={phase: unpack(blocks) for phase, blocks in phases.items()},
            )
            for head, phases in zip(self.heads, parse_json(self.packed or b'[]'), strict=True)
        ]


def to_text(content: Any) -> bytes:
    """Plain data as :func:`parse_json` takes it, numbers that are not finite as they are."""
    try:
        return pydantic_core.to_json(content, inf_nan_mode='constants')
    except ValueError:  # it refuses half a surrogate
        return json.dumps(content).encode()


def pack(rows: Iterable[Row]) -> list[tuple[list[str], list[list[Any]]]]:
    """Successive rows with the same names as (names, rows of values)."""
    return [
        (names, [[row[name] for name in names] for row in block])
        for names, block in groupby(rows, key=sorted)
    ]


def unpack(blocks: list[tuple[list[str], list[list[Any]]]]) -> list[Row]:
    """Inverse of :func:`pack`."""
    return [dict(zip(names, values, strict=True)) for names, rows in blocks for values in rows]


class Cache:
    """Entries of the files below one folder, in a folder of the user's cache directory.

    Args:
        root: the folder of runs. Where there is no cache directory, or it cannot be written,
            nothing is kept.
    """

    def __init__(self, root: Path | str) -> None:
        self.folder = CacheFolder('runs', os.path.realpath(root))

    def get(self, path: str, state: os.stat_result) -> Entry | None:
        """What is known of a file; ``None`` if that is nothing, or of another state of it.

        Args:
            path: the file, relative to the folder of runs.
            state: what ``os.stat`` says of it.
        """
        content = self.folder.get(path, _facts(state))
        if content is None:
            return None
        heads, _, packed = content.partition(b'\n')
        try:
            return Entry([Attempt(**head) for head in parse_json(heads)], packed)
        except (ValueError, TypeError):
            return None

    def put(self, entries: Mapping[str, tuple[os.stat_result, Entry]]) -> Collection[str]:
        """Keep what was read from files, but of those that are still being written.

        Args:
            entries: by file, relative to the folder of runs, what ``os.stat`` says of it and what
                was read.

        Returns:
            The files of which it is kept.
        """
        settled = {
            path: (_facts(state), _content(entry))
            for path, (state, entry) in entries.items()
            if is_settled(state)
        }
        return settled if self.folder.put(settled) else ()

    def use(self, path: str) -> None:
        """Go on keeping what is known of a file that need not be read."""
        self.folder.use(path)

    def tidy(self) -> None:
        """Drop what nobody has asked for: of files that are gone, of roots not read for long."""
        self.folder.tidy()


def _content(entry: Entry) -> bytes:
    heads = [
        {name: value for name, value in vars(head).items() if name not in _NOT_KEPT}
        for head in entry.heads
    ]
    return json.dumps(heads).encode() + b'\n' + (entry.packed or b'')


def _facts(state: os.stat_result) -> dict[str, Any]:
    """Which state of a file an entry is of, and who read it."""
    return dict(state_facts(state), reader=reader_version())


@functools.cache
def reader_version() -> str:
    """Digest of the readers' own code: what another version of them read is read again."""
    tracking = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted(
        [
            *tracking.glob('reading/*.py'),
            tracking / 'ledger' / 'format.py',
            tracking / 'ledger' / 'forms.py',
            tracking / 'identity.py',
        ]
    ):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
