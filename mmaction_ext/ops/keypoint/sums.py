"""The operator ``mmaction_ext::masked_sums``: sums of regions as matrix products with masks.

Shape legend: N clips, C channels, T frames, H rows, W columns, P = H*W pixels, R regions.
"""

from typing import Any

import torch
from torch import Tensor


@torch.library.custom_op(
    'mmaction_ext::masked_sums', mutates_args=(), schema='(Tensor x, Tensor masks) -> Tensor'
)
def masked_sums(x: Tensor, masks: Tensor) -> Tensor:
    """Sums of pixels times what the masks say.

    Args:
        x: Features of shape (N, C, T, H, W), any strides.
        masks: (N, T, R, P), in the dtype that is summed in.

    Returns:
        Tensor of shape (N, T, R, C) and of the dtype of the masks.
    """
    out = masks.new_empty(*masks.shape[:3], x.shape[1])
    with torch.autocast(x.device.type, enabled=False):
        for clip, of_clip, sums in zip(_pixels(x, masks.dtype), masks, out, strict=True):
            torch.bmm(of_clip, clip, out=sums)
    return out


@masked_sums.register_fake
def _(x: Tensor, masks: Tensor) -> Tensor:
    return masks.new_empty(*masks.shape[:3], x.shape[1])


@torch.library.custom_op(
    'mmaction_ext::masked_sums_backward_x',
    mutates_args=(),
    schema='(Tensor grad, Tensor masks, int height, int width) -> Tensor',
)
def _backward_x(grad: Tensor, masks: Tensor, height: int, width: int) -> Tensor:
    """Gradient of the features, channels last."""
    n, num_frames, _, channels = grad.shape
    # no view: autograd adds other gradients to it in place
    out = torch.empty(
        (n, channels, num_frames, height, width),
        dtype=grad.dtype,
        device=grad.device,
        memory_format=torch.channels_last_3d,
    )
    pixels = out.permute(0, 2, 3, 4, 1).view(n * num_frames, height * width, channels)
    with torch.autocast(grad.device.type, enabled=False):
        torch.bmm(masks.flatten(0, 1).mT, grad.flatten(0, 1), out=pixels)
    return out


@_backward_x.register_fake
def _(grad: Tensor, masks: Tensor, height: int, width: int) -> Tensor:
    return grad.new_empty(*grad.shape[:2], height, width, grad.shape[3]).permute(0, 4, 1, 2, 3)


@torch.library.custom_op(
    'mmaction_ext::masked_sums_backward_masks',
    mutates_args=(),
    schema='(Tensor grad, Tensor x) -> Tensor',
)
def _backward_masks(grad: Tensor, x: Tensor) -> Tensor:
    out = grad.new_empty(*grad.shape[:3], x.shape[3] * x.shape[4])
    with torch.autocast(grad.device.type, enabled=False):
        for clip, of_clip, of_masks in zip(_pixels(x, grad.dtype), grad, out, strict=True):
            torch.bmm(of_clip, clip.mT, out=of_masks)
    return out


@_backward_masks.register_fake
def _(grad: Tensor, x: Tensor) -> Tensor:
    return grad.new_empty(*grad.shape[:3], x.shape[3] * x.shape[4])


def _pixels(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Features as (N, T, P, C), which are no copy where each row begins where another ends."""
    return x.to(dtype).permute(0, 2, 3, 4, 1).flatten(2, 3)


def _save(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    x, masks = inputs
    of_x, of_masks = ctx.needs_input_grad[:2]
    ctx.dtype, ctx.sides = x.dtype, x.shape[-2:]
    ctx.save_for_backward(x if of_masks else None, masks if of_x else None)


def _gradient(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
    x, masks = ctx.saved_tensors
    of_x = None if masks is None else _backward_x(grad, masks, *ctx.sides)
    of_masks = None if x is None else _backward_masks(grad, x)
    return None if of_x is None else of_x.to(ctx.dtype), of_masks


masked_sums.register_autograd(_gradient, setup_context=_save)
