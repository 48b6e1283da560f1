"""What a motion module gets and sees while a recognizer looks at a clip."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from mmaction_ext.errors import InputError
from mmaction_ext.modules import MotionModule
from mmaction_ext.modules.base import Displacements, KeyPoints

if TYPE_CHECKING:
    from mmaction.models import BaseRecognizer


M = TypeVar('M', Displacements, KeyPoints, None)


@dataclass(frozen=True)
class SeenMotion(Generic[M]):
    """What a module gets and sees at one stage.

    Attributes:
        features: Its input, (N, C, T, H, W).
        motion: What it says of it; None where it says nothing.
        output: What it makes of it, (N, C, T, H, W).
    """

    features: Tensor
    motion: M
    output: Tensor


def find_motion_module(model: BaseRecognizer) -> MotionModule | None:
    """The motion module of a recognizer; None for a plain one."""
    return next((module for module in model.modules() if isinstance(module, MotionModule)), None)


@contextmanager
def record_inputs(module: MotionModule) -> Iterator[dict[int, Tensor]]:
    """Keep what a module gets, as long as the context lasts; nothing stays on the module.

    Yields:
        Dict from stage to a copy of its features (N, C, T, H, W), of the last forward pass.
    """
    inputs: dict[int, Tensor] = {}

    def keep(_: nn.Module, args: tuple[Any, ...]) -> None:
        x, stage, _ = args
        inputs[stage] = x.detach().clone()

    handle = module.register_forward_pre_hook(keep)
    try:
        yield inputs
    finally:
        handle.remove()


@contextmanager
def record_outputs(module: MotionModule) -> Iterator[dict[int, Tensor]]:
    """Keep what a module gives, as :func:`record_inputs` what it gets."""
    outputs: dict[int, Tensor] = {}

    def keep(_: nn.Module, args: tuple[Any, ...], output: tuple[Tensor, Any]) -> None:
        outputs[args[1]] = output[0].detach().clone()

    handle = module.register_forward_hook(keep)
    try:
        yield outputs
    finally:
        handle.remove()


def check_stages(module: MotionModule, stages: Sequence[int] | None) -> tuple[int, ...]:
    """The stages asked for, ascending; all that the module works after if None.

    Raises:
        InputError: If the module does not work after one of them.
    """
    for stage in stages or ():
        if stage not in module.stages:
            raise InputError(
                f'{type(module).__name__} does not work after stage {stage}, but '
                f'after {", ".join(map(str, module.stages))}'
            )
    return tuple(sorted(set(stages))) if stages else module.stages


@torch.no_grad()
def watch_motion(
    model: BaseRecognizer, data: dict[str, Any], stages: Sequence[int] | None = None
) -> dict[int, SeenMotion[Any]]:
    """The motion that a recognizer's module sees in a clip.

    Args:
        model: A recognizer with a motion module, in evaluation mode.
        data: What its ``test_step`` takes.
        stages: Stages to look at; all that the module works after if None.

    Returns:
        Dict from stage, ascending, to what is seen there.

    Raises:
        InputError: If there is no motion module, or it does not work after one of the stages.
    """
    module = find_motion_module(model)
    if module is None:
        raise InputError(f'{type(model).__name__} has no motion module')
    stages = check_stages(module, stages)
    with record_inputs(module) as inputs, record_outputs(module) as outputs:
        model.test_step(data)
    return {
        stage: SeenMotion(inputs[stage], module.motion(inputs[stage], stage), outputs[stage])
        for stage in stages
    }
