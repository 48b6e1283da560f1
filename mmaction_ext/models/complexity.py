"""Parameters and multiply-adds of a recognizer, counted without weights or data.

One multiply-add (MAC) is what the papers on action recognition print as one FLOP:
convolutions, linear layers, matrix products and correlations count; normalisation, activation,
pooling and additions do not.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from mmaction_ext.errors import last_line
from mmaction_ext.models.building import build_model
from mmaction_ext.models.heads.concat_head import branch_vector
from mmaction_ext.models.heads.fit import misfit
from mmaction_ext.models.host import MotionBackbone
from mmaction_ext.models.host.shape_inference import example_input


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
    macs: int | None = None
    macs_by_kind: dict[str, int] = field(default_factory=dict)
    input_shape: tuple[int, ...] = ()


def count(cfg: Mapping[str, Any], input_shape: Sequence[int] | None = None) -> Complexity:
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
    shape = check_shape(input_shape or cfg.get('input_shape') or ())
    return count_model(build_model(cfg.get('model', cfg), 'meta', with_checkpointing=True), shape)


def count_model(model: nn.Module, input_shape: tuple[int, ...]) -> Complexity:
    """Count one view of a recognizer on the meta device, which is made ready for evaluation.

    Args:
        model: The recognizer.
        input_shape: (C, T, H, W) of the view; without one, only parameters are counted.

    Returns:
        The counts.

    Raises:
        ValueError: If the model does not take the shape, or its head not what its backbone gives.
    """
    model.eval()
    kinds: dict[str, int] = {}
    if input_shape:
        view = _view(model, input_shape)
        try:
            kinds = _count_macs(model, view)
        except (AssertionError, AttributeError, KeyError, RuntimeError, TypeError) as error:
            # what mmaction2 and torch raise for a width that does not fit
            reason = _misfit(model, view) or f'the model cannot be run: {last_line(error)}'
            raise ValueError(reason) from error
    else:
        _check_branch(model)
    params = sum(parameter.numel() for parameter in model.parameters())
    macs = sum(kinds.values()) if input_shape else None
    return Complexity(params, macs, kinds, input_shape)


def total(counts: Sequence[Complexity]) -> Complexity:
    """What several recognizers cost together, each on a view of its own.

    Args:
        counts: One or more.
    """
    if len(counts) == 1:
        return counts[0]
    macs = [each.macs for each in counts if each.macs is not None]
    return Complexity(
        sum(each.params for each in counts), sum(macs) if len(macs) == len(counts) else None
    )


def check_shape(shape: Sequence[int]) -> tuple[int, ...]:
    """The shape of a view, (C, T, H, W), or none at all.

    Raises:
        ValueError: If it is something else.
    """
    shape = tuple(shape)
    if shape and (len(shape) != 4 or not all(isinstance(n, int) and n > 0 for n in shape)):
        raise ValueError(f'input_shape must be four positive numbers (C, T, H, W), got {shape}')
    return shape


def _view(model: nn.Module, shape: tuple[int, ...]) -> torch.Tensor:
    """An input of a recognizer with one view: (1, 1, C, T, H, W), or (1, T, C, H, W) if 2-D."""
    from mmaction.models import Recognizer2D

    channels, num_frames, height, width = shape
    if isinstance(model, Recognizer2D):
        num_segments = getattr(model.backbone, 'num_segments', None) or num_frames
        if num_frames != num_segments:
            raise ValueError(
                f'a clip of {num_frames} frames does not suit the model, which is '
                f'built for num_segments={num_segments}'
            )
        return torch.empty(1, num_frames, channels, height, width, device='meta')
    return torch.empty(1, 1, *shape, device='meta')


def _misfit(model: Any, view: torch.Tensor) -> str:
    """Why the head does not take what the backbone gives; empty where that is not the reason."""
    try:
        with torch.no_grad():
            features = model(view, stage='backbone')
    except Exception:  # whatever broke there is what stopped the whole model
        return ''
    return misfit(model.cls_head, features)


def _check_branch(model: Any) -> None:
    """Hold the head against a branch of which the host itself knows how many values it has."""
    backbone = model.backbone
    if isinstance(backbone, MotionBackbone) and backbone.module and backbone.num_segments:
        with torch.no_grad():
            features = backbone(example_input(backbone.backbone, backbone.num_segments))
        reason = misfit(model.cls_head, features) if branch_vector(features) is not None else ''
        if reason:
            raise ValueError(reason)


def _count_macs(model: nn.Module, view: torch.Tensor) -> dict[str, int]:
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        model(view, stage='head')
    return {
        str(kind).rpartition('.')[2]: flops // 2
        for kind, flops in counter.get_flop_counts()['Global'].items()
    }
