"""What was read from files that have not changed since.

One small file per log, below the folder of runs. It is replaced as a whole, carries a checksum,
and is passed over if anything about it is not as it should be.
"""

import contextlib
import functools
import hashlib
import json
import os
import time
import zlib
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from mmaction_ext.tracking.reading.record import AttemptLog

CACHE_FOLDER = '.cache'
#: A file that was written this recently may be written again without its time changing.
SETTLED_SECONDS = 2
#: A temporary file that is older was left by a process that died.
ABANDONED_SECONDS = 600
_NOT_KEPT = ('root', 'path', 'phases')


@dataclass
class Entry:
    """The attempts of one file, with their rows packed.

    Attributes:
        heads: the attempts as dicts without rows.
        packed: their rows, as JSON; ``None`` where a cache keeps them.
    """

    heads: list
    packed: bytes | None

    @classmethod
    def of(cls, attempts: list):
        """Pack :class:`AttemptLog` objects."""
        heads = [{name: value for name, value in vars(attempt).items() if name not in _NOT_KEPT}
                 for attempt in attempts]
        rows = [{phase: _pack(rows) for phase, rows in sorted(attempt.phases.items())}
                for attempt in attempts]
        return cls(heads, json.dumps(rows, separators=(',', ':')).encode())

    def attempts(self, root, path: str) -> list:
        """Unpack; ``root`` and ``path`` are what the attempts are to name as their file."""
        return [AttemptLog(**head, root=root, path=path, phases={
                    phase: _unpack(blocks) for phase, blocks in phases.items()})
                for head, phases in zip(self.heads, json.loads(self.packed))]


def _pack(rows: list) -> list:
    """Successive rows with the same names as (names, rows of values)."""
    return [(names, [[row[name] for name in names] for row in block])
            for names, block in groupby(rows, key=sorted)]


def _unpack(blocks: list) -> list:
    return [dict(zip(names, values)) for names, rows in blocks for values in rows]


class Cache:
    """Entries of the files below one folder.

    Args:
        root: the folder of runs. Where it cannot be written, nothing is kept.
    """

    def __init__(self, root):
        self._folder = Path(root) / CACHE_FOLDER
        self._used = set()

    def get(self, path: str, state) -> Entry | None:
        """What is known of a file; ``None`` if that is nothing, or of another state of it.

        Args:
            path: the file, relative to the folder of runs.
            state: what ``os.stat`` says of it.
        """
        place = self._place(path)
        try:
            key, _, content = place.read_bytes().partition(b'\n')
            if key != _key(path, state, content):
                return None
            heads, _, packed = content.partition(b'\n')
            return Entry(json.loads(heads), packed)
        except (OSError, ValueError):
            return None

    def put(self, path: str, state, entry: Entry) -> bool:
        """Keep what was read from a file, unless it is still being written; whether it is kept."""
        if time.time() - state.st_mtime < SETTLED_SECONDS:
            return False
        content = json.dumps(entry.heads).encode() + b'\n' + entry.packed
        place = self._place(path)
        temporary = place.with_suffix(f'.{os.getpid()}.tmp')
        with contextlib.suppress(OSError):
            self._folder.mkdir(exist_ok=True)
            try:
                temporary.write_bytes(_key(path, state, content) + b'\n' + content)
                os.replace(temporary, place)
                return True
            finally:
                temporary.unlink(missing_ok=True)
        return False

    def tidy(self) -> None:
        """Drop what nobody has asked for, as the files are gone, or left half written."""
        with contextlib.suppress(OSError):
            for place in self._folder.glob('*.json'):
                if place.name not in self._used:
                    place.unlink(missing_ok=True)
            for place in self._folder.glob('*.tmp'):
                if time.time() - place.stat().st_mtime > ABANDONED_SECONDS:
                    place.unlink(missing_ok=True)

    def _place(self, path: str) -> Path:
        name = f'{hashlib.sha256(os.fsencode(path)).hexdigest()[:32]}.json'
        self._used.add(name)
        return self._folder / name


def _key(path: str, state, content: bytes) -> bytes:
    """First line of an entry: which state of which file it is of, and a checksum."""
    facts = dict(reader=reader_version(), path=path, size=state.st_size,
                 mtime_ns=state.st_mtime_ns, ctime_ns=state.st_ctime_ns, inode=state.st_ino,
                 crc32=zlib.crc32(content))
    return json.dumps(facts).encode()


@functools.cache
def reader_version() -> str:
    """Digest of the readers' own code: what another version of them read is read again."""
    tracking = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for path in sorted([*tracking.glob('reading/*.py'), tracking / 'wandb_log.py',
                        tracking / 'ledger' / 'format.py']):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
