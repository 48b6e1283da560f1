"""The kinds of files: one module each, whose name is the kind's and which holds ``KIND``."""

import importlib
import pkgutil

from mmaction_ext.engine.official_checkpoints.kind import Kind

KINDS: dict[str, Kind] = {
    file.name: importlib.import_module(f'{__name__}.{file.name}').KIND
    for file in pkgutil.iter_modules(__path__)
}
