"""The source files that a table's numbers depend on, so that a change to them shows."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import mmaction_ext
from mmaction_ext.tracking.identity import json_digest
from mmaction_ext.tracking.reading.comparison import code_changes, current_sha256

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
            ``**/`` nothing.
        files: path, relative to the folder of the package, to SHA-256.
    """

    globs: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)

    def changes(self, recorded: dict[str, str]) -> list[str]:
        """Paths of tracked files that were another when a run started.

        Args:
            recorded: path to SHA-256 of the run; where it is empty, nobody can tell.
        """
        return sorted(
            path for path in code_changes(recorded, self.files) if matches(path, self.globs)
        )

    def digest(self, recorded: dict[str, str]) -> str | None:
        """One digest for the tracked files of a run; ``None`` if none are tracked or known."""
        if not self.globs or not recorded:
            return None
        tracked = {path: file for path, file in recorded.items() if matches(path, self.globs)}
        return json_digest(tracked)

    def is_other(self, digest: str | None) -> bool:
        """Whether a :meth:`digest` that was kept of a run is not that of the tree."""
        return bool(self.globs and digest) and digest != self.digest(self.files)


def matches(path: str, globs: Iterable[str]) -> bool:
    """Whether a path matches any of some patterns."""
    return any(
        fnmatchcase(path, form) for glob in globs for form in (glob, glob.replace('**/', ''))
    )


def tracked_code(globs: Iterable[str]) -> TrackedCode:
    """The files of the package that match any of some patterns."""
    globs = tuple(globs)
    package = Path(mmaction_ext.__file__).parent
    found = {
        path.relative_to(package.parent).as_posix(): path
        for path in (sorted(package.rglob('*.py')) if globs else ())
    }
    return TrackedCode(
        globs, {name: current_sha256(path) for name, path in found.items() if matches(name, globs)}
    )
