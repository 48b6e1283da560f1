"""From configs to backbones and motion modules, with the errors a user can act on."""

from collections.abc import Mapping
from typing import Any

from mmaction.registry import MODELS
from torch import nn

from mmaction_ext.errors import InputError
from mmaction_ext.modules import MotionModule

TIMM = 'timm.'


def is_timm(config: Mapping[str, Any]) -> bool:
    """Whether a backbone's config names a model of timm."""
    return str(config.get('type')).startswith(TIMM)


def build_backbone(config: dict[str, Any]) -> nn.Module:
    """Build a registered backbone, or timm's for ``'timm.<model>'``.

    Raises:
        InputError: If its type or, for timm, an argument is unknown.
    """
    if is_timm(config):
        return _build_timm(config['type'].removeprefix(TIMM), config)
    _find_class(config.get('type'), 'backbone')
    return MODELS.build(config)


def build_module(config: dict[str, Any], in_channels: Mapping[int, int]) -> MotionModule:
    """Build a registered motion module for stages of the given channels.

    Raises:
        InputError: If its type or an argument is unknown, or it is no motion module.
    """
    found = _find_class(config.get('type'), 'module')
    if not issubclass(found, MotionModule):
        raise InputError(f'module type {config["type"]!r} is no MotionModule')
    try:
        return MODELS.build(dict(config, in_channels=in_channels))
    except TypeError as error:  # an argument it does not have
        raise InputError(f'module {config["type"]!r}: {error}') from error


def _find_class(kind: str | type | None, role: str) -> type:
    found = MODELS.get(kind) if isinstance(kind, str) else kind
    if found is None:
        raise InputError(f'unknown {role} type {kind!r}')
    return found


def _build_timm(name: str, config: dict[str, Any]) -> nn.Module:
    import timm  # slow to import, and only some hosts need it

    if not timm.is_model(name):
        raise InputError(f'unknown timm model {name!r}')
    arguments = {key: value for key, value in config.items() if key != 'type'}
    try:
        backbone: Any = timm.create_model(name, num_classes=0, global_pool='', **arguments)
    except TypeError as error:  # an argument the model does not have
        raise InputError(f'timm model {name!r}: {error}') from error
    backbone.is_init = True  # timm initialises, or loads weights, while building
    return backbone
