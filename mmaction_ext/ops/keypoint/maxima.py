"""The operator ``mmaction_ext::region_maxima``, by the implementation that suits.

Shape legend: N clips, C channels, T frames, H rows, W columns, G sets of regions, s regions along
a side, K = s*s regions.
"""

from typing import Any

import torch
from torch import Tensor

from mmaction_ext.errors import InputError
from mmaction_ext.ops import launch
from mmaction_ext.ops.keypoint import native, portable, triton
from mmaction_ext.ops.precision import widened

IMPLEMENTATIONS = ('auto', 'native', 'portable', 'triton')


_MODULES = {'native': native, 'portable': portable}


def chosen_implementation(x: Tensor, implementation: str = 'auto') -> str:
    """What ``regional_key_points`` would be computed by.

    Args:
        x: Its features, or their gradient.
        implementation: ``'auto'`` takes kernels of Triton on a GPU that they serve, the C kernel
            on the CPU but for float64, and ``'portable'`` otherwise.

    Returns:
        ``'triton'``, ``'native'`` or ``'portable'``.

    Raises:
        InputError: The implementation asked for cannot take such features; the message says why.
    """
    if launch.is_chosen(implementation, x):
        return 'triton'
    if implementation == 'portable':
        return implementation
    lack = native.lack(x.device, x.dtype)
    if lack and implementation == 'native':
        raise InputError(f"implementation 'native' is not available: {lack}")
    return 'portable' if lack else 'native'


@torch.library.custom_op(
    'mmaction_ext::region_maxima',
    mutates_args=(),
    schema='(Tensor x, Tensor rows, Tensor columns, str implementation) -> (Tensor, Tensor)',
)
def region_maxima(
    x: Tensor, rows: Tensor, columns: Tensor, implementation: str
) -> tuple[Tensor, Tensor]:
    """Largest value of each region and where it is; the gradient of a value goes to its pixel.

    Args:
        x: Features of shape (N, C, T, H, W), floating point, any strides.
        rows: First row of each region and the end of the last, (N, G, T, s+1), int64.
        columns: Of columns likewise.
        implementation: One of ``IMPLEMENTATIONS``.

    Returns:
        Values (N, T, G, K, C), and the row and column of each, of equal ones the first by rows,
        (N, T, G, K, C, 2), int64.

    Raises:
        InputError: ``'native'`` or ``'triton'`` is not available for such features.
    """
    implementation = chosen_implementation(x, implementation)
    if implementation == 'triton':
        return triton.maxima(x, rows, columns)
    values, points = _MODULES[implementation].maxima(widened(x.detach()), rows, columns)
    return values.to(x.dtype), points


@region_maxima.register_fake
def _(x: Tensor, rows: Tensor, columns: Tensor, implementation: str) -> tuple[Tensor, Tensor]:
    n, num_sets, num_frames, num_borders = rows.shape
    shape = n, num_frames, num_sets, (num_borders - 1) ** 2, x.shape[1]
    return x.new_empty(shape), rows.new_empty(*shape, 2)


@torch.library.custom_op(
    'mmaction_ext::region_maxima_backward',
    mutates_args=(),
    schema='(Tensor grad, Tensor points, Tensor rows, int height, int width, str implementation) '
    '-> Tensor',
)
def _backward(
    grad: Tensor, points: Tensor, rows: Tensor, height: int, width: int, implementation: str
) -> Tensor:
    """Gradient of the features, (N, C, T, H, W), channels last."""
    implementation = chosen_implementation(grad, implementation)
    if implementation == 'triton':
        out = triton.maxima_backward(grad, points, rows, height, width)
    else:
        wide = _MODULES[implementation].maxima_backward(widened(grad), points, height, width)
        out = wide.to(grad.dtype)
    return out.permute(0, 4, 1, 2, 3)


@_backward.register_fake
def _(
    grad: Tensor, points: Tensor, rows: Tensor, height: int, width: int, implementation: str
) -> Tensor:
    return grad.new_empty(*grad.shape[:2], height, width, grad.shape[-1]).permute(0, 4, 1, 2, 3)


def _save(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    x, rows, _, ctx.implementation = inputs
    ctx.sides = x.shape[-2:]
    ctx.set_materialize_grads(False)  # zeros for the points, which have none, would be the largest
    ctx.save_for_backward(output[1], rows)


def _gradient(ctx: Any, grad: Tensor | None, _: None) -> tuple[Tensor | None, ...]:
    points, rows = ctx.saved_tensors
    if grad is None:
        return None, None, None, None
    return _backward(grad, points, rows, *ctx.sides, ctx.implementation), None, None, None


region_maxima.register_autograd(_gradient, setup_context=_save)
