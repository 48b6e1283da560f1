"""Grad-CAM of recognizers: where the evidence for the predicted class lies.

As in "Effective Action Recognition with Embedded Key Point Shifts" (KPSEM), Figure 9. The
computation is mmaction2's own.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from mmaction.utils.gradcam_utils import GradCAM
from torch import Tensor, nn

from mmaction_ext.analysis.pictures import Legend, ramp
from mmaction_ext.datasets.clip_loading import middle_frame
from mmaction_ext.errors import InputError
from mmaction_ext.models.host.layouts import is_channels_last
from mmaction_ext.models.host.motion_backbone import MotionBackbone
from mmaction_ext.models.host.stages import find_stages

if TYPE_CHECKING:
    from mmaction.models import BaseRecognizer

COLOURS = 'jet'


def choose_layer(
    model: BaseRecognizer, data: dict[str, Any], stage_names: Mapping[int, str] | None = None
) -> str:
    """Name of the submodule for Grad-CAM, e.g. ``'backbone.layer4'``.

    The end of the last stage; the whole backbone where that gives no feature map (transformers).

    Args:
        model: A recognizer in evaluation mode.
        data: What its ``test_step`` takes.
        stage_names: As given to :class:`MotionBackbone`.

    Raises:
        InputError: If neither gives a feature map.
    """
    prefix, backbone = _inner_backbone(model)
    names = find_stages(backbone, stage_names)
    candidates = [f'{prefix}.{names[max(names)]}'] if names else []
    candidates.append('backbone')
    for layer in candidates:
        if _gives_map(model, data, layer):
            return layer
    raise InputError(
        f'Grad-CAM needs a feature map, and {type(backbone).__name__} gives none at '
        f'{" or ".join(candidates)}: name another submodule'
    )


@torch.no_grad()
def last_convolution(model: BaseRecognizer, data: dict[str, Any]) -> str:
    """Name of the last convolution of the backbone whose output is a map, by when it runs.

    KPSEM's Figure 9 has it from "the last convolution layer". Convolutions of a motion module
    and of squeeze-and-excitation, which see one place, are none.

    Args:
        model, data: As of :func:`choose_layer`.

    Raises:
        InputError: If there is none.
    """
    prefix, backbone = _inner_backbone(model)
    ran: list[str] = []
    handles = [
        module.register_forward_hook(
            lambda module, inputs, output, name=name: (
                ran.append(name) if output.shape[-2:].numel() > 1 else None
            )
        )
        for name, module in backbone.named_modules()
        if isinstance(module, (nn.Conv2d, nn.Conv3d))
    ]
    try:
        model.test_step(data)
    finally:
        for handle in handles:
            handle.remove()
    if not ran:
        raise InputError(f'no convolution of {type(backbone).__name__} gives a map')
    return f'{prefix}.{ran[-1]}'


def _inner_backbone(model: BaseRecognizer) -> tuple[str, nn.Module]:
    if isinstance(model.backbone, MotionBackbone):
        return 'backbone.backbone', model.backbone.backbone
    return 'backbone', model.backbone


@torch.no_grad()
def _gives_map(model: BaseRecognizer, data: dict[str, Any], layer: str) -> bool:
    """Whether a submodule's output is (N*T, C, H, W) or (N, C, T, H, W)."""
    outputs: list[Any] = []
    handle = model.get_submodule(layer).register_forward_hook(
        lambda module, inputs, output: outputs.append(output)
    )
    try:
        model.test_step(data)
    finally:
        handle.remove()
    if not outputs or not isinstance(outputs[-1], torch.Tensor):
        return False
    prefix, backbone = _inner_backbone(model)
    inside = layer.removeprefix(f'{prefix}.')
    return outputs[-1].dim() in (4, 5) and (
        inside == layer or not is_channels_last(backbone, inside, outputs[-1])
    )


def draw_grad_cam(model: BaseRecognizer, data: dict[str, Any], layer: str) -> np.ndarray:
    """Frames with the Grad-CAM of the predicted class over them, half each.

    Works on a copy of the model, which is left as it is.

    Args:
        model: ``Recognizer2D`` or ``Recognizer3D`` of mmaction2.
        data: What its ``test_step`` takes, one clip.
        layer: Name of the submodule whose output is weighed; see :func:`choose_layer`.

    Returns:
        (T, H, W, 3) of uint8, RGB.

    Raises:
        InputError: If there is no such submodule, or its output is no feature map.
    """
    if layer not in dict(model.named_modules()):
        raise InputError(f'{layer!r} is no submodule of the model')
    if not _gives_map(model, data, layer):
        raise InputError(f'Grad-CAM needs a feature map, and the output of {layer!r} is none')
    model = copy.deepcopy(model)
    for head in model.cls_head.modules():
        if hasattr(head, 'average_clips'):
            head.average_clips = 'score'  # the gradient of the score, not of the softmax
    cam = _MiddleFrameCAM(model, layer.replace('.', '/'), COLOURS)
    with warnings.catch_warnings(), torch.enable_grad():
        warnings.filterwarnings('ignore', '.*non-full backward hook.*')
        blended, _ = cam(data)
    return (255 * blended[0]).round().byte().numpy()


class _MiddleFrameCAM(GradCAM):
    """Blends with the middle one of frames that are the channels of one."""

    def _alpha_blending(self, localization_map: Tensor, input_imgs: Any, alpha: float) -> Tensor:
        shown = [middle_frame(clip) for clip in input_imgs]
        return super()._alpha_blending(localization_map, shown, alpha)


def grad_cam_legend() -> Legend:
    """The colours from the least to the most important place."""
    return Legend(
        ramp(COLOURS),
        'Grad-CAM of the class named\nat each row. Top: where its\n'
        'score gains most; bottom:\nwhere it gains nothing.',
    )
