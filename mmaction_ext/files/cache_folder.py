"""Folders of ours in the user's cache directory.

Nothing is read, written or removed but in a folder with our tag, and there nothing but files with
names of ours; no link is followed. A file is replaced as a whole, carries a checksum, and is
passed over if anything about it is not as it should be. Where there is no cache directory, or it
cannot be written, nothing is kept.
"""

import contextlib
import hashlib
import json
import os
import re
import stat
import time
import zlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import platformdirs

from mmaction_ext.errors import InputError
from mmaction_ext.files.reading import LOG_BYTES, read_regular
from mmaction_ext.files.writing import remove_unfinished, replace_files

#: Marks a folder as one of ours, in the form that backup programs know.
TAG_FILE = 'CACHEDIR.TAG'
TAG = (
    b'Signature: 8a477f597d28d172789f06886806bc55\n'
    b'# What mmaction_ext has read of runs; it may be deleted.\n'
)
#: A file that was written this recently may be written again without its time changing.
SETTLED_SECONDS = 2
#: What was kept goes once it has not been read for so long.
UNUSED_SECONDS = 90 * 24 * 3600
_ENTRY_NAME = re.compile(r'[0-9a-f]{32}\.json')


class CacheFolder:
    """A folder of entries, each of which is of something in some state.

    Args:
        kind: of what, in a word.
        place: of which folder; those of one kind lie beside each other.
    """

    def __init__(self, kind: str, place: str) -> None:
        self.path = _home() / kind / _digest(place)
        self._is_ours = _is_ours(self.path)
        self._used: set[str] = set()

    def get(self, name: str, facts: Mapping[str, Any]) -> bytes | None:
        """What is kept under a name; ``None`` if that is nothing, or of another state.

        Args:
            name: what it is of.
            facts: the state of that.
        """
        place = self._place(name)
        try:
            if not self._is_ours or place.is_symlink():
                return None
            key, _, content = read_regular(place, LOG_BYTES).partition(b'\n')
        except OSError:
            return None
        return content if key == _key(name, facts, content) else None

    def put(self, entries: Mapping[str, tuple[Mapping[str, Any], bytes]]) -> bool:
        """Keep entries, all or none, in the place of earlier ones; whether they are.

        Args:
            entries: by name, the state that each is of, and its content.
        """
        with contextlib.suppress(OSError, InputError):
            self._is_ours = self._is_ours or _make_ours(self.path)
            if self._is_ours:
                contents = {
                    self._place(name): _key(name, facts, content) + b'\n' + content
                    for name, (facts, content) in entries.items()
                }
                replace_files(contents, sync=False)
                return True
        return False

    def use(self, name: str) -> None:
        """Ask for an entry without reading it."""
        self._used.add(_file_name(name))

    def tidy(self, least_age: float = 0) -> None:
        """Drop entries that nobody has asked for, and folders that nobody has for long.

        Args:
            least_age: seconds since it was written that an entry is kept in any case.
        """
        with contextlib.suppress(OSError):
            if self._is_ours:
                os.utime(self.path / TAG_FILE)
                _clear(self.path, self._used, least_age)
            for folder in self.path.parent.iterdir():
                if _is_ours(folder) and _age(folder / TAG_FILE) > UNUSED_SECONDS:
                    _clear(folder)
                    (folder / TAG_FILE).unlink()
                    folder.rmdir()

    def _place(self, name: str) -> Path:
        self.use(name)
        return self.path / _file_name(name)


def is_settled(state: os.stat_result) -> bool:
    """Whether a file is so old that it cannot change without its time changing."""
    return time.time() - state.st_mtime >= SETTLED_SECONDS


def state_facts(state: os.stat_result) -> dict[str, int]:
    """What changes when a file does."""
    return dict(
        size=state.st_size,
        mtime_ns=state.st_mtime_ns,
        ctime_ns=state.st_ctime_ns,
        inode=state.st_ino,
    )


def _file_name(name: str) -> str:
    return f'{_digest(name)}.json'


def _digest(name: str) -> str:
    return hashlib.sha256(os.fsencode(name)).hexdigest()[:32]


def _key(name: str, facts: Mapping[str, Any], content: bytes) -> bytes:
    """First line of an entry: which state of what it is of, and a checksum."""
    return json.dumps(dict(facts, path=name, crc32=zlib.crc32(content))).encode()


def _home() -> Path:
    """Folder of all caches; in a home that nobody knows there is none, and nothing is kept."""
    return platformdirs.user_cache_path('mmaction_ext', appauthor=False)


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


def _clear(folder: Path, used: Collection[str] = (), least_age: float = 0) -> None:
    """Remove the entries of a folder of ours that are not used, and what was not finished."""
    remove_unfinished(folder)
    for name in os.listdir(folder):
        if name not in used and _ENTRY_NAME.fullmatch(name):
            with contextlib.suppress(OSError):
                if _age(folder / name) >= least_age:
                    (folder / name).unlink()


def _age(path: Path) -> float:
    return time.time() - path.lstat().st_mtime
