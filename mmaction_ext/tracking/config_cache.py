"""What configs resolve to, kept as long as no file that decides it changes.

mmengine takes a tenth of a second for three configs, and a table of tables has hundreds. Kept is
what follows from files alone: the config, what it inherits from, and the modules of this package
that these import. A config that imports anything else, asks the environment or may read files is
read by mmengine every time.

Torch-free.
"""

import ast
import functools
import hashlib
import importlib.metadata
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mmaction_ext.files.cache_folder import UNUSED_SECONDS, CacheFolder, is_settled, state_facts
from mmaction_ext.files.reading import read_regular

PACKAGE = Path(__file__).parents[1]
#: names by which a config could ask for what stands in no file of its own
_IMPURE = frozenset(
    (
        *('breakpoint', 'compile', 'eval', 'exec', 'getattr', 'globals', 'hash', 'id', 'input'),
        *('locals', 'open', 'set', 'setattr', 'vars'),
    )
)
#: modules that tell a config nothing of where or when it is read
_PURE_MODULES = frozenset({'__future__', 'collections', 'copy', 'functools', 'itertools', 'math'})
#: since when modules were loaded, roughly; a file that is newer may not be what was
_LOADED = time.time() - time.process_time()
_ENVIRONMENT = re.compile(rb'\{\{\s*\$')


#: digest of what a config resolves to, to the hashes of that
_HASHES: dict[str, tuple[str, ...]] = {}


def kept(path: Path | str) -> dict[str, Any] | None:
    """What a config resolves to; ``None`` unless it is kept and nothing has changed since.

    Its hashes are known from then on, see :func:`known_hashes`.

    Args:
        path: the config file.
    """
    found = _folder().get(os.path.abspath(path), _facts())
    if found is None:
        return None
    head, _, content = found.partition(b'\n')
    try:
        files, digest, hashes = json.loads(head)
        if any(_digest(file) != was for file, was in files.items()):
            return None
        _HASHES[digest] = tuple(hashes)
        return json.loads(content, object_hook=_decoded)
    except (OSError, ValueError):
        return None


def known_hashes(config: dict[str, Any]) -> tuple[str, ...]:
    """The hashes that were kept of a resolved config; empty where there are none."""
    try:
        return _HASHES.get(_content_digest(config), ()) if _HASHES else ()
    except (TypeError, ValueError, RecursionError):
        return ()


def keep(
    path: Path | str,
    content: dict[str, Any],
    chain: Iterable[str],
    hashes: Callable[[dict[str, Any]], tuple[str, ...]],
) -> None:
    """Keep what a config resolves to, if nothing but files decides that.

    Args:
        path: the config file.
        content: what it resolves to.
        chain: it, and all that it inherits from.
        hashes: gives those of a resolved config.
    """
    try:
        files = set(map(os.path.abspath, chain))
        modules = set().union(*(_modules(file, _digest(file)) for file in files))
        if any(os.stat(module).st_mtime > _LOADED for module in modules):
            return  # the tree was updated under a long launch, which still has its old modules
        digests = {file: _digest(file) for file in files | modules}
        text = json.dumps(_encoded(content))
        if json.loads(text, object_hook=_decoded) != content:
            return
    except (OSError, ValueError, TypeError, SyntaxError, RecursionError):
        return
    folder = _folder()
    head = json.dumps([digests, _content_digest(content), hashes(content)])
    entry = f'{head}\n{text}'.encode()
    folder.put({os.path.abspath(path): (_facts(), entry)})


def tidy() -> None:
    """Drop what was kept long ago."""
    _folder().tidy(UNUSED_SECONDS)


def _folder() -> CacheFolder:
    return CacheFolder('configs', '')


@functools.cache
def _facts() -> dict[str, str]:
    """What decides how files are read."""
    return dict(
        reader=hashlib.sha256(
            b''.join(
                file.read_bytes() for file in (Path(__file__), PACKAGE / 'tracking/identity.py')
            )
        ).hexdigest()[:16],
        python=sys.version,
        mmengine=importlib.metadata.version('mmengine'),
        package=str(PACKAGE),
    )


def _content_digest(config: dict[str, Any]) -> str:
    """Equal for two configs whose hashes must be."""
    return hashlib.sha256(json.dumps(config).encode()).hexdigest()


def _digest(path: str) -> str:
    state = os.stat(path)
    digest = _digest_of if is_settled(state) else _digest_of.__wrapped__
    return digest(path, *state_facts(state).values())


@functools.lru_cache(None)
def _digest_of(path: str, *_: int) -> str:
    return hashlib.sha256(read_regular(path)).hexdigest()


@functools.cache
def _modules(path: str, _: str) -> frozenset[str]:
    """Files of this package's modules that a file of a config runs.

    Raises:
        ValueError: it may ask for something that stands in no file.
    """
    data = read_regular(path)
    if _ENVIRONMENT.search(data):
        raise ValueError('asks the environment')
    if Path(path).suffix != '.py':
        return frozenset()
    # as mmengine has it, {{ ... }} stands for something of the config
    tree = ast.parse(re.sub(rb'\{\{[^{}]*\}\}', b'0', data))
    for node in ast.walk(tree):
        name: str = getattr(node, 'id', getattr(node, 'attr', ''))
        if name in _IMPURE or name.startswith('__'):
            raise ValueError(f'calls {name}')
    found = set()
    for name in imported_names(tree):
        root = name.partition('.')[0]
        if root == PACKAGE.name:
            found |= _closure(name)
        elif root not in _PURE_MODULES:
            raise ValueError(f'imports {name}')
    return frozenset(found)


def _closure(name: str) -> set[str]:
    """Files of a module of this package and of all of them that it imports."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        parts = waiting.pop().split('.')[1:]
        for length in range(len(parts) + 1):
            place = PACKAGE.joinpath(*parts[:length])
            files = [place / '__init__.py', place.with_suffix('.py')]
            for file in map(str, filter(Path.is_file, files)):
                if file not in found:
                    found.add(file)
                    waiting += _own_imports(file, _digest(file))
    return found


@functools.cache
def _own_imports(path: str, _: str) -> list[str]:
    names = imported_names(ast.parse(read_regular(path)))
    return [name for name in names if name.startswith(f'{PACKAGE.name}.')]


def imported_names(tree: ast.AST) -> list[str]:
    """Names of modules, and of what is taken from them, which may be modules, too.

    Args:
        tree: a module, or a part of one; one import gives its names in their order.

    Raises:
        ValueError: one is relative.
    """
    found: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError('imports by a relative name')
            found += [f'{node.module}.{alias.name}' for alias in node.names]
    return found


def _encoded(node: Any) -> Any:
    """Plain data as JSON that tells tuples from lists and keeps keys that are no strings."""
    kind = type(node)
    if kind is dict:
        if all(type(key) is str for key in node) and not node.keys() & {'()', '{}'}:
            return {key: _encoded(value) for key, value in node.items()}
        return {'{}': [[_encoded(key), _encoded(value)] for key, value in node.items()]}
    if kind is tuple:
        return {'()': [_encoded(item) for item in node]}
    if kind is list:
        return [_encoded(item) for item in node]
    if node is None or kind in (str, int, float, bool):
        return node
    raise TypeError(f'{kind} is no plain data')


def _decoded(node: dict[str, Any]) -> Any:
    if '()' in node:
        return tuple(node['()'])
    if '{}' in node:
        return dict(map(tuple, node['{}']))
    return node
