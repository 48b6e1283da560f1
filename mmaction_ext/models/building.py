"""Recognizers that are to be looked at or filled with weights, not trained from scratch."""

import copy
from collections.abc import Mapping
from typing import Any

import torch
from mmaction.registry import MODELS
from mmengine.registry import DefaultScope
from torch import nn

from mmaction_ext.errors import InputError, last_line


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
            return MODELS.build(_for_inference(copy.deepcopy(config), with_checkpointing))
    except (
        AssertionError,
        AttributeError,
        KeyError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:  # mmaction2's and torch's, for an unknown type or argument
        raise InputError(f'the model cannot be built: {last_line(error)}') from error


def _for_inference(config: Any, with_checkpointing: bool) -> Any:
    if isinstance(config, dict):
        config.pop('blending', None)
        for key in ('pretrained', *(() if with_checkpointing else ('with_cp',))):
            if config.get(key) is True:
                config[key] = False
        for value in config.values():
            _for_inference(value, with_checkpointing)
    return config
