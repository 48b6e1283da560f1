"""Motion modules: trainable blocks that go between the stages of a backbone.

Each is a file of this folder: importing the folder imports all of them, and so registers them.
"""

import importlib
import pkgutil

from mmaction_ext.modules.base import MotionModule

__all__ = ['MotionModule']

for _file in pkgutil.iter_modules(__path__, f'{__name__}.'):
    importlib.import_module(_file.name)
