"""The motion modules that are registered, for tests of what all of them do."""

import inspect

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
#: those that tell what motion they see
every_seeing_module = pytest.mark.parametrize(
    'kind',
    [kind for kind in MOTION_MODULES.values() if kind.motion is not modules.MotionModule.motion],
)


def takes(name, *arguments):
    """Whether a module has all of some arguments."""
    return set(arguments) <= inspect.signature(MOTION_MODULES[name]).parameters.keys()


def small_config(name, num_segments, **arguments):
    """Config of a small one, for so many frames where it is built for a number of them."""
    frames = dict(num_segments=num_segments) if takes(name, 'num_segments') else {}
    return dict(MOTION_MODULES[name].small, type=name, **frames, **arguments)
