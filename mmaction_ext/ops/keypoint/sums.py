"""The operator ``mmaction_ext::region_sums``: matrix products of regions and pixels.

Shape legend: N clips, C channels, T frames, H rows, W columns, P = H*W pixels, G sets of regions,
s regions along a side, K = s*s regions.
"""

from typing import Any

import torch
from torch import Tensor

from mmaction_ext.ops import launch
from mmaction_ext.ops.keypoint import triton
from mmaction_ext.ops.keypoint.borders import region_masks

IMPLEMENTATIONS = ('auto', 'portable', 'triton')


@torch.library.custom_op(
    'mmaction_ext::region_sums',
    mutates_args=(),
    schema='(Tensor x, Tensor rows, Tensor columns, str implementation) -> Tensor',
)
def region_sums(x: Tensor, rows: Tensor, columns: Tensor, implementation: str) -> Tensor:
    """Sums of pixels times their shares of rows and of columns.

    Args:
        x: Features of shape (N, C, T, H, W), any strides.
        rows: Share of each row in each region, (N, T, G, s, H), in the dtype that is summed in.
        columns: Of each column, (N, T, G, s, W), likewise.
        implementation: One of ``IMPLEMENTATIONS``.

    Returns:
        Tensor of shape (N, T, G, K, C) and of the dtype of the shares.

    Raises:
        InputError: ``'triton'`` is not available for such features.
    """
    if launch.is_chosen(implementation, x):
        return triton.sums(x, rows, columns)
    masks = region_masks(rows, columns)
    out = masks.new_empty(*masks.shape[:4], x.shape[1])
    with torch.autocast(x.device.type, enabled=False):
        for clip, of_clip, sums in zip(_pixels(x, masks.dtype), masks, out, strict=True):
            torch.bmm(of_clip.flatten(1, 2), clip, out=sums.flatten(1, 2))
    return out


@region_sums.register_fake
def _(x: Tensor, rows: Tensor, columns: Tensor, implementation: str) -> Tensor:
    return rows.new_empty(*rows.shape[:3], rows.shape[3] ** 2, x.shape[1])


@torch.library.custom_op(
    'mmaction_ext::region_sums_backward_x',
    mutates_args=(),
    schema='(Tensor grad, Tensor rows, Tensor columns, ScalarType dtype, str implementation) '
    '-> Tensor',
)
def _backward_x(
    grad: Tensor, rows: Tensor, columns: Tensor, dtype: torch.dtype, implementation: str
) -> Tensor:
    """Gradient of the features, channels last."""
    out = _features(grad, rows, columns, dtype)
    if launch.is_chosen(implementation, out):
        triton.sums_backward(grad, rows, columns, out)
        return out
    masks = region_masks(rows, columns).flatten(2, 3).flatten(0, 1)
    wide = out if dtype == grad.dtype else _features(grad, rows, columns, grad.dtype)
    pixels = wide.permute(0, 2, 3, 4, 1).view(len(masks), masks.shape[2], grad.shape[4])
    with torch.autocast(grad.device.type, enabled=False):
        torch.bmm(masks.mT, grad.flatten(2, 3).flatten(0, 1), out=pixels)
    return out if wide is out else wide.to(dtype)


@_backward_x.register_fake
def _(
    grad: Tensor, rows: Tensor, columns: Tensor, dtype: torch.dtype, implementation: str
) -> Tensor:
    return _features(grad, rows, columns, dtype)


def _features(grad: Tensor, rows: Tensor, columns: Tensor, dtype: torch.dtype) -> Tensor:
    """(N, C, T, H, W), no view: autograd adds other gradients to it in place."""
    n, num_frames, _, _, channels = grad.shape
    return torch.empty(
        (n, channels, num_frames, rows.shape[-1], columns.shape[-1]),
        dtype=dtype,
        device=grad.device,
        memory_format=torch.channels_last_3d,
    )


@torch.library.custom_op(
    'mmaction_ext::region_sums_backward_shares',
    mutates_args=(),
    schema='(Tensor grad, Tensor x, Tensor rows, Tensor columns) -> (Tensor, Tensor)',
)
def _backward_shares(
    grad: Tensor, x: Tensor, rows: Tensor, columns: Tensor
) -> tuple[Tensor, Tensor]:
    """Gradients of the shares: what the regions' gradients are at each pixel, summed."""
    side, height, width = rows.shape[3], rows.shape[4], columns.shape[4]
    at_pixels = grad.new_empty(*grad.shape[:4], height * width)
    with torch.autocast(grad.device.type, enabled=False):
        for clip, of_clip, out in zip(_pixels(x, grad.dtype), grad, at_pixels, strict=True):
            torch.bmm(of_clip.flatten(1, 2), clip.mT, out=out.flatten(1, 2))
        at_pixels = at_pixels.view(*grad.shape[:3], side, side, height, width)
        of_rows = (at_pixels * columns[..., None, :, None, :]).sum((4, 6))
        of_columns = (at_pixels * rows[..., :, None, :, None]).sum((3, 5))
    return of_rows, of_columns


@_backward_shares.register_fake
def _(grad: Tensor, x: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    return torch.empty_like(rows), torch.empty_like(columns)


def _pixels(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Features as (N, T, P, C), which are no copy where each row begins where another ends."""
    return x.to(dtype).permute(0, 2, 3, 4, 1).flatten(2, 3)


def _save(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    x, rows, columns, ctx.implementation = inputs
    ctx.dtype = x.dtype
    ctx.save_for_backward(x if any(ctx.needs_input_grad[1:3]) else None, rows, columns)


def _gradient(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    x, rows, columns = ctx.saved_tensors
    grad = grad.contiguous()
    of_x = of_rows = of_columns = None
    if ctx.needs_input_grad[0]:
        of_x = _backward_x(grad, rows, columns, ctx.dtype, ctx.implementation)
    if x is not None:
        of_rows, of_columns = _backward_shares(grad, x, rows, columns)
    return of_x, of_rows, of_columns, None


region_sums.register_autograd(_gradient, setup_context=_save)
