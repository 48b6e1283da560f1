"""Parameters and multiply-adds of a recognizer, counted without weights or data.

One multiply-add (MAC) is what the papers on action recognition print as one FLOP:
convolutions, linear layers, matrix products and correlations count; normalisation, activation,
pooling and additions do not.
"""

import copy
import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Optional

import torch
from mmengine.registry import DefaultScope
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mmaction_ext.errors import last_line


@dataclass(frozen=True)
class Complexity:
    """What one view costs.

    Attributes:
        params: Number of parameters.
        macs: Multiply-adds of one view; None where no input shape is known.
        macs_by_kind: The same by kind of operation, e.g. ``'convolution'``.
        input_shape: (C, T, H, W) of the view; empty where none is known.
    """

    params: int
    macs: Optional[int] = None
    macs_by_kind: dict[str, int] = field(default_factory=dict)
    input_shape: tuple[int, ...] = ()


def count(cfg: Mapping[str, Any], input_shape: Optional[Sequence[int]] = None) -> Complexity:
    """Build a recognizer on the meta device and count one view.

    Args:
        cfg: Config with a ``model`` key, or the config of the model itself.
        input_shape: (C, T, H, W) of one view. ``cfg.input_shape`` when None; where that is
            missing too, only parameters are counted.

    Returns:
        The counts.

    Raises:
        ValueError: If the shape is not four positive numbers, or the model cannot be built
            from its config or does not take the shape.
    """
    shape = _check_shape(input_shape or cfg.get('input_shape') or ())
    try:
        model = _build(cfg.get('model', cfg))
        kinds = _count_macs(model, _view(model, shape)) if shape else {}
    except (AssertionError, AttributeError, KeyError, RuntimeError, TypeError) as error:
        # what mmaction2 and torch raise for an unknown type, argument or width
        raise ValueError(f'the model cannot be built or run: {last_line(error)}') from error
    params = sum(parameter.numel() for parameter in model.parameters())
    return Complexity(params, sum(kinds.values()) if shape else None, kinds, shape)


def _check_shape(shape: Sequence[int]) -> tuple[int, ...]:
    shape = tuple(shape)
    if shape and (len(shape) != 4 or not all(isinstance(n, int) and n > 0 for n in shape)):
        raise ValueError(f'input_shape must be four positive numbers (C, T, H, W), got {shape}')
    return shape


def _build(config: Mapping[str, Any]) -> nn.Module:
    importlib.import_module('mmaction_ext.register')
    from mmaction.registry import MODELS

    with DefaultScope.overwrite_default_scope('mmaction'), torch.device('meta'):
        model = MODELS.build(_without_weights(copy.deepcopy(config)))
    model.eval()
    return model


def _without_weights(config: Any) -> Any:
    """Keep timm, which loads weights while it builds, from doing so."""
    if isinstance(config, dict):
        if str(config.get('type', '')).startswith('timm.'):
            config['pretrained'] = False
        for value in config.values():
            _without_weights(value)
    return config


def _view(model: nn.Module, shape: tuple[int, ...]) -> torch.Tensor:
    """An input of a recognizer with one view: (1, 1, C, T, H, W), or (1, T, C, H, W) if 2-D."""
    from mmaction.models import Recognizer2D

    channels, num_frames, height, width = shape
    if isinstance(model, Recognizer2D):
        return torch.empty(1, num_frames, channels, height, width, device='meta')
    return torch.empty(1, 1, *shape, device='meta')


def _count_macs(model: nn.Module, view: torch.Tensor) -> dict[str, int]:
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        model(view, stage='head')
    return {str(kind).rpartition('.')[2]: flops // 2
            for kind, flops in counter.get_flop_counts()['Global'].items()}
