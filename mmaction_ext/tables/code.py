"""The source files that a table's numbers depend on, so that a change to them shows."""

import functools
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import mmaction_ext
from mmaction_ext.tracking.identity import json_digest
from mmaction_ext.tracking.ledger.facts import find_source, is_own
from mmaction_ext.tracking.reading.comparison import code_changes, current_sha256
from mmaction_ext.tracking.reading.ledger import as_dict

#: Files whose change a table notes where its specification says nothing of ``code``.
DEFAULT_GLOBS = (
    'mmaction_ext/ops/**/*.py',
    'mmaction_ext/modules/**/*.py',
    'mmaction_ext/models/host/**/*.py',
)


@dataclass(frozen=True)
class TrackedCode:
    """Source files as they stand in the tree.

    Attributes:
        globs: patterns such as ``mmaction_ext/modules/*.py``; ``*`` also matches a ``/``, and
            ``**/`` nothing. With :data:`DEFAULT_GLOBS` the user's own files are tracked, too.
        files: path, relative to the folder of the package, to SHA-256; without the user's own,
            which differ from run to run.
    """

    globs: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)

    def tracks(self, path: str) -> bool:
        """Whether a source file counts."""
        return _tracks(self.globs, path)

    def changes(self, recorded: Mapping[str, str]) -> list[str]:
        """Paths of tracked files that were another when a run started.

        Args:
            recorded: path to SHA-256 of the run; where it is empty, nobody can tell.
        """
        if not self.globs:
            return []
        package = {path: digest for path, digest in recorded.items() if not is_own(path)}
        changed = {path for path in code_changes(package, self.files) if self.tracks(path)}
        return sorted(changed | self.own_changes(recorded))

    def own_changes(self, recorded: Mapping[str, str]) -> set[str]:
        """Those that are the user's own, as far as they are found."""
        return {
            path
            for path, digest in recorded.items()
            if is_own(path)
            and self.tracks(path)
            and (found := find_source(path))
            and current_sha256(found) != digest
        }

    def digest(self, recorded: Mapping[str, str]) -> str | None:
        """One digest for the tracked files of a run that are of the package.

        ``None`` if none are tracked or known.
        """
        return self._digest_of(recorded) if self.globs and recorded else None

    def _digest_of(self, files: Mapping[str, str]) -> str:
        return _digest_of(self.globs, tuple(files), tuple(map(str, files.values())))

    def is_other(self, digest: str | None, own: object = None) -> bool:
        """Whether a :meth:`digest` that was kept of a run is not that of the tree.

        Args:
            digest: that of the package's files.
            own: path to SHA-256 of the user's own, where they were kept, too.
        """
        if not self.globs or not digest:
            return False
        return digest != self._digest_of(self.files) or bool(self.own_changes(as_dict(own)))


def _tracks(globs: tuple[str, ...], path: str) -> bool:
    return matches(path, globs) or (globs == DEFAULT_GLOBS and is_own(path))


@functools.lru_cache(64)
def _digest_of(globs: tuple[str, ...], paths: tuple[str, ...], files: tuple[str, ...]) -> str:
    """Runs of one checkout have the same files, hundreds of them."""
    return json_digest(
        {
            path: file
            for path, file in zip(paths, files, strict=True)
            if not is_own(path) and _tracks(globs, path)
        }
    )


def matches(path: str, globs: Iterable[str]) -> bool:
    """Whether a path matches any of some patterns."""
    return _matches(path, tuple(globs))


@functools.cache
def _matches(path: str, globs: tuple[str, ...]) -> bool:
    return any(
        fnmatchcase(path, form) for glob in globs for form in (glob, glob.replace('**/', ''))
    )


def finds(glob: str) -> bool:
    """Whether a pattern matches a source file of the package or of this process's folder."""
    if tracked_code([glob]).files:
        return True
    try:
        return is_own(glob) and any(path.suffix == '.py' for path in Path().glob(glob))
    except (ValueError, NotImplementedError):  # of a pattern that is empty or absolute
        return False


def tracked_code(globs: Iterable[str]) -> TrackedCode:
    """The files of the package that match any of some patterns."""
    globs = tuple(globs)
    package = os.path.dirname(mmaction_ext.__file__)
    above = len(os.path.dirname(package)) + 1
    names = [
        f'{folder[above:]}/{name}'
        for folder, _, files in (os.walk(package) if globs else ())
        for name in files
        if name.endswith('.py')
    ]
    return TrackedCode(
        globs,
        {
            name: current_sha256(package[:above] + name)
            for name in sorted(names)
            if matches(name, globs)
        },
    )
