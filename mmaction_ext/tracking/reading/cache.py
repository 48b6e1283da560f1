"""What was read from files that have not changed since.

One small file per log, in the user's cache directory, in a folder for each folder of runs. It is
replaced as a whole, carries a checksum, and is passed over if anything about it is not as it
should be.
"""

import contextlib
import functools
import hashlib
import json
import os
import re
import stat
import time
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any

import platformdirs

from mmaction_ext.errors import InputError
from mmaction_ext.files.reading import LOG_BYTES, read_regular
from mmaction_ext.files.writing import remove_unfinished, replace_files
from mmaction_ext.tracking.reading.record import Attempt
from mmaction_ext.tracking.reading.rows import Row

#: Marks a folder as one of ours, in the form that backup programs know.
TAG_FILE = 'CACHEDIR.TAG'
TAG = (
    b'Signature: 8a477f597d28d172789f06886806bc55\n'
    b'# What mmaction_ext has read of runs; it may be deleted.\n'
)
#: A file that was written this recently may be written again without its time changing.
SETTLED_SECONDS = 2
#: What was kept of a folder of runs goes once it has not been read for so long.
UNUSED_SECONDS = 90 * 24 * 3600
_ENTRY_NAME = re.compile(r'[0-9a-f]{32}\.json')
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
            {phase: _pack(rows) for phase, rows in sorted(attempt.rows.items())}
            for attempt in attempts
        ]
        return cls(heads, json.dumps(rows, separators=(',', ':')).encode(), is_read)

    def attempts(self, root: Path, path: str) -> list[Attempt]:
        """Unpack; ``root`` and ``path`` are what the attempts are to name as their file."""
        return [
            replace(
                head,
                root=root,
                path=path,
                rows={phase: _unpack(blocks) for phase, blocks in phases.items()},
            )
            for head, phases in zip(self.heads, json.loads(self.packed or b'[]'), strict=True)
        ]


def _pack(rows: list[Row]) -> list[tuple[list[str], list[list[Any]]]]:
    """Successive rows with the same names as (names, rows of values)."""
    return [
        (names, [[row[name] for name in names] for row in block])
        for names, block in groupby(rows, key=sorted)
    ]


def _unpack(blocks: list[tuple[list[str], list[list[Any]]]]) -> list[Row]:
    return [dict(zip(names, values, strict=True)) for names, rows in blocks for values in rows]


class Cache:
    """Entries of the files below one folder, in a folder of the user's cache directory.

    Nothing is read, written or removed but in a folder with our tag, and there nothing but files
    with names of ours; no link is followed.

    Args:
        root: the folder of runs. Where there is no cache directory, or it cannot be written,
            nothing is kept.
    """

    def __init__(self, root: Path | str) -> None:
        place = os.path.realpath(root)
        self._folder = _home() / hashlib.sha256(os.fsencode(place)).hexdigest()[:32]
        self._is_ours = _is_ours(self._folder)
        self._used: set[str] = set()

    def get(self, path: str, state: os.stat_result) -> Entry | None:
        """What is known of a file; ``None`` if that is nothing, or of another state of it.

        Args:
            path: the file, relative to the folder of runs.
            state: what ``os.stat`` says of it.
        """
        place = self._place(path)
        try:
            if not self._is_ours or place.is_symlink():
                return None
            key, _, content = read_regular(place, LOG_BYTES).partition(b'\n')
            if key != _key(path, state, content):
                return None
            heads, _, packed = content.partition(b'\n')
            return Entry([Attempt(**head) for head in json.loads(heads)], packed)
        except (OSError, ValueError, TypeError):
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
            path: (state, entry)
            for path, (state, entry) in entries.items()
            if time.time() - state.st_mtime >= SETTLED_SECONDS
        }
        with contextlib.suppress(OSError, InputError):
            self._is_ours = self._is_ours or _make_ours(self._folder)
            if self._is_ours:
                contents = {self._place(path): _content(path, *settled[path]) for path in settled}
                replace_files(contents, sync=False)
                return settled
        return ()

    def tidy(self) -> None:
        """Drop what nobody has asked for: of files that are gone, of roots not read for long."""
        with contextlib.suppress(OSError):
            if self._is_ours:
                os.utime(self._folder / TAG_FILE)
                _clear(self._folder, self._used)
            for folder in self._folder.parent.iterdir():
                if _is_ours(folder) and _age(folder / TAG_FILE) > UNUSED_SECONDS:
                    _clear(folder)
                    (folder / TAG_FILE).unlink()
                    folder.rmdir()

    def _place(self, path: str) -> Path:
        name = f'{hashlib.sha256(os.fsencode(path)).hexdigest()[:32]}.json'
        self._used.add(name)
        return self._folder / name


def _home() -> Path:
    """Folder of all caches; in a home that nobody knows there is none, and nothing is kept."""
    return platformdirs.user_cache_path('mmaction_ext', appauthor=False) / 'runs'


def _is_ours(folder: Path) -> bool:
    """Whether a folder is one that :func:`_make_ours` made for this user, and no link to one."""
    try:
        state = folder.lstat()
        return (
            stat.S_ISDIR(state.st_mode)
            and state.st_uid == os.geteuid()
            and not folder.parent.is_symlink()
            and read_regular(folder / TAG_FILE) == TAG
        )
    except OSError:
        return False


def _make_ours(folder: Path) -> bool:
    """Make a folder and its tag where there is nothing; whether it is ours then."""
    is_free = not (os.path.lexists(folder) and os.listdir(folder))
    if is_free and folder.is_absolute() and not folder.parent.is_symlink():
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(0o700, exist_ok=True)
        replace_files({folder / TAG_FILE: TAG}, sync=False)
    return _is_ours(folder)


def _clear(folder: Path, used: Collection[str] = ()) -> None:
    """Remove the entries of a folder of ours that are not used, and what was not finished."""
    remove_unfinished(folder)
    for place in folder.iterdir():
        if place.name not in used and _ENTRY_NAME.fullmatch(place.name):
            with contextlib.suppress(OSError):
                place.unlink()


def _age(path: Path) -> float:
    return time.time() - path.stat().st_mtime


def _content(path: str, state: os.stat_result, entry: Entry) -> bytes:
    heads = [
        {name: value for name, value in vars(head).items() if name not in _NOT_KEPT}
        for head in entry.heads
    ]
    content = json.dumps(heads).encode() + b'\n' + (entry.packed or b'')
    return _key(path, state, content) + b'\n' + content


def _key(path: str, state: os.stat_result, content: bytes) -> bytes:
    """First line of an entry: which state of which file it is of, and a checksum."""
    facts = dict(
        reader=reader_version(),
        path=path,
        size=state.st_size,
        mtime_ns=state.st_mtime_ns,
        ctime_ns=state.st_ctime_ns,
        inode=state.st_ino,
        crc32=zlib.crc32(content),
    )
    return json.dumps(facts).encode()


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
        ]
    ):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
