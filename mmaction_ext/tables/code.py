"""The source files that a table's numbers depend on, so that a change to them shows."""

import ast
import functools
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

import mmaction_ext
from mmaction_ext.files.reading import read_regular
from mmaction_ext.tracking.config_cache import imported_names
from mmaction_ext.tracking.identity import Settings, json_digest
from mmaction_ext.tracking.ledger.facts import find_source, is_own
from mmaction_ext.tracking.reading.comparison import code_changes, current_sha256
from mmaction_ext.tracking.reading.ledger import as_dict

#: Files whose change a table notes where its specification says nothing of ``code``.
DEFAULT_GLOBS = (
    'mmaction_ext/ops/**/*.py',
    'mmaction_ext/modules/**/*.py',
    'mmaction_ext/models/host/**/*.py',
)
_PACKAGE = Path(mmaction_ext.__file__).parent


@dataclass(frozen=True)
class TrackedCode:
    """Source files as they stand in the tree.

    Attributes:
        globs: patterns such as ``mmaction_ext/modules/*.py``; ``*`` also matches a ``/``, and
            ``**/`` nothing. With :data:`DEFAULT_GLOBS` the user's own files are tracked, too.
        files: path, relative to the folder of the package, to SHA-256; without the user's own,
            which differ from run to run.
        used: of the package, only these count, if given; see :func:`network_files`.
    """

    globs: tuple[str, ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    used: frozenset[str] | None = None

    def tracks(self, path: str) -> bool:
        """Whether a source file counts."""
        return _tracks(self.globs, self.used, path)

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
        return self._digest_of(recorded, self.used) if self.globs and recorded else None

    def _digest_of(self, files: Mapping[str, str], used: frozenset[str] | None = None) -> str:
        return _digest_of(self.globs, used, tuple(files), tuple(map(str, files.values())))

    def is_other(self, digest: str | None, own: object = None) -> bool:
        """Whether a :meth:`digest` that was kept of a run is not that of the tree.

        Args:
            digest: that of the package's files; of before, of all of them, whatever is used.
            own: path to SHA-256 of the user's own, where they were kept, too.
        """
        if not self.globs or not digest:
            return False
        is_other = all(digest != self._digest_of(self.files, used) for used in (self.used, None))
        return is_other or bool(self.own_changes(as_dict(own)))


def _tracks(globs: tuple[str, ...], used: frozenset[str] | None, path: str) -> bool:
    if is_own(path):
        return globs == DEFAULT_GLOBS or matches(path, globs)
    return matches(path, globs) and (used is None or path in used)


@functools.lru_cache(1024)
def _digest_of(
    globs: tuple[str, ...],
    used: frozenset[str] | None,
    paths: tuple[str, ...],
    files: tuple[str, ...],
) -> str:
    """Runs of one checkout have the same files, hundreds of them."""
    return json_digest(
        {
            path: file
            for path, file in zip(paths, files, strict=True)
            if not is_own(path) and _tracks(globs, used, path)
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


def network_files(config: Settings) -> frozenset[str]:
    """Files of the package that the network of a resolved config is made of.

    Those that define a class which it names as a ``type``, and what these import in turn, function
    by function where a package only passes them on: a module that nobody names changes no network.

    Args:
        config: as of :func:`mmaction_ext.tracking.identity.load_config`.

    Returns:
        Paths relative to the folder of the package, as runs record them.
    """
    return _network_files(frozenset(_types(config.get('model'))))


@functools.lru_cache(1024)
def _network_files(types: frozenset[str]) -> frozenset[str]:
    waiting = [file for name in types for file in _class_files().get(name, ())]
    found: set[str] = set()
    while waiting:
        file = waiting.pop()
        if file not in found:
            found.add(file)
            waiting += _imported_files(file)
    return frozenset(found)


def _types(node: object) -> Iterator[str]:
    """Names of the classes in a config, without their scope."""
    if isinstance(node, Mapping):
        if isinstance(node.get('type'), str):
            yield node['type'].rpartition('.')[2]
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for each in node:
            yield from _types(each)


@functools.cache
def _class_files() -> dict[str, list[str]]:
    """Class to the files of modules and models that define one of that name."""
    found: dict[str, list[str]] = {}
    for part in ('modules', 'models'):
        for path in sorted(_PACKAGE.joinpath(part).rglob('*.py')):
            file = path.relative_to(_PACKAGE.parent).as_posix()
            for node in _tree(file).body:
                if isinstance(node, ast.ClassDef):
                    found.setdefault(node.name, []).append(file)
    return found


@functools.cache
def _imported_files(file: str) -> frozenset[str]:
    """Those that it imports, and those that it names as texts, to import them when needed."""
    texts = {
        node.value
        for node in ast.walk(_tree(file))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    return frozenset(
        found for name in texts.union(imported_names(_tree(file))) for found in _files_of(name)
    )


@functools.cache
def _files_of(name: str) -> tuple[str, ...]:
    """The file of a module of this package, or of what is taken from one."""
    if name.partition('.')[0] != _PACKAGE.name:
        return ()
    place = name.replace('.', '/')
    above, _, taken = place.rpartition('/')
    for file in (f'{place}.py', f'{place}/__init__.py', f'{above}.py'):
        if _PACKAGE.parent.joinpath(file).is_file():
            return (file,)
    file = f'{above}/__init__.py'
    if not _PACKAGE.parent.joinpath(file).is_file():
        return ()
    passed_on = [
        passed
        for node in _tree(file).body
        if isinstance(node, ast.ImportFrom)
        for alias, passed in zip(node.names, imported_names(node), strict=True)
        if (alias.asname or alias.name) == taken
    ]
    return tuple(each for passed in passed_on for each in _files_of(passed)) or (file,)


@functools.cache
def _tree(file: str) -> ast.Module:
    return ast.parse(read_regular(_PACKAGE.parent / file))
