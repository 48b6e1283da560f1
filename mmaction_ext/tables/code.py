"""The source files that a table's numbers depend on, so that a change to them shows."""

import hashlib
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from mmaction_ext.tracking.identity import canonical_json
from mmaction_ext.tracking.ledger.facts import source_digests


@dataclass(frozen=True)
class TrackedCode:
    """Source files as they stand in the tree.

    Attributes:
        globs: patterns such as ``mmaction_ext/modules/*.py``; ``*`` also matches a ``/``.
        files: path, relative to the folder of the package, to SHA-256.
    """

    globs: tuple = ()
    files: dict = field(default_factory=dict)

    def changes(self, recorded: dict) -> list:
        """Paths of tracked files that were another when a run started.

        Args:
            recorded: path to SHA-256 of the run; where it is empty, nobody can tell.
        """
        then = self._tracked(recorded)
        return sorted(path for path in then.keys() | self.files.keys()
                      if then.get(path) != self.files.get(path)) if recorded else []

    def digest(self, recorded: dict) -> str | None:
        """One digest for the tracked files of a run; ``None`` if none are tracked or known."""
        if not self.globs or not recorded:
            return None
        return hashlib.sha256(canonical_json(self._tracked(recorded)).encode()).hexdigest()[:16]

    def _tracked(self, files) -> dict:
        return {path: digest for path, digest in files.items() if matches(path, self.globs)}


def matches(path: str, globs) -> bool:
    """Whether a path matches any of some patterns."""
    return any(fnmatchcase(path, glob) for glob in globs)


def tracked_code(globs) -> TrackedCode:
    """The files of the package that match any of some patterns."""
    globs = tuple(globs)
    files = source_digests() if globs else {}
    return TrackedCode(globs, {path: digest for path, digest in files.items()
                               if matches(path, globs)})
