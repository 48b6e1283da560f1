"""The motion modules that are registered, for tests of what all of them do."""

import pytest
from mmaction.registry import MODELS

from mmaction_ext import modules

#: Name in configs to class; what tests register themselves is left out.
MOTION_MODULES = {
    name: kind
    for name, kind in sorted(MODELS.module_dict.items())
    if kind.__module__.startswith(f'{modules.__name__}.')
}

every_module = pytest.mark.parametrize('kind', MOTION_MODULES.values(), ids=MOTION_MODULES)


def small_config(name, **arguments):
    """Config of a small one."""
    return dict(MOTION_MODULES[name].small, type=name, **arguments)
