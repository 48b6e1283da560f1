"""The source files of what a config builds that no package with a recorded version holds."""

import inspect
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

from mmengine import registry as mmengine
from mmengine.registry import Registry

from mmaction_ext.files.writing import file_sha256

#: what needs no record of single files: their versions are on record, this package's files anyway
LIBRARIES = {
    *sys.stdlib_module_names,
    *('mmaction_ext', 'mmaction', 'mmengine', 'mmcv', 'torch', 'torchvision', 'timm', 'numpy'),
}
#: settings that name a class or function
_NAMING = ('type', 'constructor', 'runner_type')
#: folders of installed packages
_INSTALLED = {'site-packages', 'dist-packages'}


def own_sources(config: dict[str, Any]) -> dict[str, str]:
    """SHA-256 of the files of classes and functions that a config names, and of what they import.

    Of an installed package that holds one of them, all that is imported counts, of others
    nothing.

    Args:
        config: a resolved config, whose ``custom_imports`` are imported.

    Returns:
        Digest by path from the folder on where Python found the module: ``mine.py``,
        ``lab/modules/mine.py``.
    """
    waiting = {
        owner.__module__
        for kind in _kinds(config)
        for named in _named(kind)
        for owner in (inspect.getmro(named) if inspect.isclass(named) else (named,))
    }
    packages = {name.partition('.')[0] for name in waiting}
    files: dict[str, Path] = {}
    while waiting:
        name = waiting.pop()
        package, path = name.partition('.')[0], _file(name)
        if name in files or package in LIBRARIES or path is None:
            continue
        if package in packages or not _INSTALLED.intersection(path.parts):
            files[name] = path
            waiting.update(_mentioned(sys.modules[name]), {name.rpartition('.')[0]})
    return {
        '/'.join(path.parts[-name.count('.') - 1 - (path.stem == '__init__') :]): file_sha256(path)
        for name, path in sorted(files.items())
    }


def _kinds(node: Any) -> Iterator[Any]:
    """What a config names the classes by, that it has built."""
    if isinstance(node, dict):
        yield from (node[key] for key in _NAMING if key in node)
    for value in node.values() if isinstance(node, dict) else node:
        if isinstance(value, (dict, list, tuple)):
            yield from _kinds(value)


def _named(kind: Any) -> list[Any]:
    """What a name stands for in any registry, or as the path of a class in its module."""
    if not isinstance(kind, str):
        return [kind] if callable(kind) else []
    module, _, name = kind.rpartition('.')
    found = [registry.module_dict.get(name) for registry in _registries()]
    return [each for each in (*found, getattr(sys.modules.get(module), name, None)) if each]


def _registries() -> Iterator[Registry]:
    waiting = [each for each in vars(mmengine).values() if isinstance(each, Registry)]
    while waiting:
        registry = waiting.pop()
        waiting += registry.children.values()
        yield registry


def _file(name: str) -> Path | None:
    path = getattr(sys.modules.get(name), '__file__', None)
    return Path(path) if path and path.endswith('.py') else None


def _mentioned(module: ModuleType) -> Iterable[str]:
    """Modules that a module has, or has a class or function of."""
    for value in vars(module).values():
        if isinstance(value, ModuleType):
            yield value.__name__
        elif isinstance(value, (type, FunctionType)):
            yield value.__module__
