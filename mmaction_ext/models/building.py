"""Recognizers that are to be looked at or filled with weights, not trained from scratch."""

import copy
import re
from collections.abc import Mapping
from typing import Any

import torch
from mmaction.registry import MODELS
from mmengine.registry import DefaultScope, Registry
from torch import nn

from mmaction_ext.errors import InputError, did_you_mean, last_line
from mmaction_ext.models.host.building import is_timm


def build_model(
    config: Mapping[str, Any], device: str = 'cpu', with_checkpointing: bool = False
) -> nn.Module:
    """Build a model as its config says, but for what only training needs.

    Left out are weights that timm loads while it builds, blending of clips, which draws random
    numbers while it is built, and gradient checkpointing.

    Args:
        config: Config of the model, which is not changed.
        device: Where its weights are made; on ``'meta'`` they take no memory.
        with_checkpointing: Keep gradient checkpointing, ``with_cp``.

    Raises:
        InputError: If it cannot be built.
    """
    try:
        with DefaultScope.overwrite_default_scope('mmaction'), torch.device(device):
            plain = _for_inference(copy.deepcopy(config), with_checkpointing)
            bare_timm(plain).pop('checkpoint_path', None)
            return MODELS.build(plain)
    except (
        AssertionError,
        AttributeError,
        KeyError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:  # mmaction2's and torch's, for an unknown type or argument
        lacking = re.search(r'([\w.]+) is not in the (\w+::)?model registry', str(error))
        reason = unregistered(lacking[1], MODELS) if lacking else last_line(error)
        raise InputError(f'the model cannot be built: {reason}') from error


def unregistered(kind: str, registry: Registry) -> str:
    """Words on a type that a registry lacks, with what is named like it there."""
    known = {**(registry.parent.module_dict if registry.parent else {}), **registry.module_dict}
    return f'there is no {registry.name} {kind!r}{did_you_mean(kind, known)}'


def bare_timm(config: Mapping[str, Any]) -> dict[str, Any]:
    """The backbone of timm's that mmaction2 itself builds for a recognizer; empty without one.

    Its ``checkpoint_path`` is loaded while it is built, by timm; that of a host's by the host.
    """
    backbone = config.get('backbone')
    return backbone if isinstance(backbone, dict) and is_timm(backbone) else {}


def _for_inference(config: Any, with_checkpointing: bool) -> Any:
    if isinstance(config, dict):
        config.pop('blending', None)
        for key in ('pretrained', *(() if with_checkpointing else ('with_cp',))):
            if config.get(key) is True:
                config[key] = False
        for value in config.values():
            _for_inference(value, with_checkpointing)
    return config
