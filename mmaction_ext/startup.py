"""Lets mmengine read ``_base_ = 'mmaction_ext::...'`` where nothing else of this package runs.

mmengine 0.10.7 refuses packages outside a list of its own, before it imports what a config's
``custom_imports`` names: a script of mmaction2's could inherit no config of this package. The
wheel's ``mmaction_ext.pth`` has each start of Python import this module, which mends mmengine if
and when that is imported. It imports itself nothing that Python has not loaded by then.
"""

from __future__ import annotations

import sys
from importlib.machinery import PathFinder, SourceFileLoader

TYPE_CHECKING = False  # typing's takes longer than all else here
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

#: modules of mmengine that :func:`mmaction_ext.compat.mend_module` is for
MENDED = ('mmengine.config.utils', 'mmengine.utils.package_utils')


class _Mending(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        from mmaction_ext import compat

        compat.mend_module(module)


class _Finder:
    @staticmethod
    def find_spec(
        name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path, target) if name in MENDED else None
        if spec and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _Mending(spec.loader.name, spec.loader.path)
        return spec


sys.meta_path.insert(0, _Finder)
