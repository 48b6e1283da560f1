"""Correlation of pairs of frames, the operation under TCM's matching of several tempos."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from mmaction_ext.errors import check_at_least, check_choice, whole_numbers
from mmaction_ext.ops.correlation import native, triton
from mmaction_ext.ops.correlation.choice import IMPLEMENTATIONS, chosen_implementation
from mmaction_ext.ops.correlation.multiply import multiply_frames, multiply_frames_backward
from mmaction_ext.ops.correlation.reference import pair_reference
from mmaction_ext.ops.precision import widened
from mmaction_ext.ops.window import Window, window_sides


def pair_correlation(
    queries: Tensor,
    keys: Tensor,
    window: Window = 5,
    dilation: int = 1,
    scale: float | None = None,
    implementation: str = 'auto',
) -> Tensor:
    """Inner products of every pixel of a map with the pixels around it in another map.

    The matching of "Motion-driven Visual Tempo Learning for Video-based Action Recognition"
    (TCM), which compares frames that are no fixed step apart; for two frames of a clip it is one
    offset of :func:`local_correlation`. With ``s`` the dilation, output channel ``a * V + c`` at
    row ``i``, column ``j`` is

        scale * <queries[:, :, i, j], keys[:, :, i + s * (a - U // 2), j + s * (c - V // 2)]>

    so content that is ``(dy, dx)`` pixels further down and right in ``keys`` peaks at
    ``a = U // 2 + dy / s``, ``c = V // 2 + dx / s``. Pixels outside the map count as zero.

    Args:
        queries: The maps the window is centred in, (B, C, H, W), floating point, any strides.
        keys: The maps the window lies in, of the shape and dtype of ``queries``.
        window: ``(U, V)``, vertical and horizontal displacements, odd, or one int for both.
        dilation: Pixels between neighbouring displacements.
        scale: Factor of every product; ``1 / sqrt(C)`` when None.
        implementation: ``'auto'``, the quickest there is (:func:`chosen_implementation` tells),
            ``'native'`` (compiled C, on the CPU, no float64), ``'triton'`` (NVIDIA GPUs, no
            float64), ``'portable'`` (PyTorch: ``'shifts'`` or ``'gram'``, which can be asked for,
            too) or ``'reference'`` (loops, slow).

    Returns:
        Tensor of shape (B, U*V, H, W) and of the dtype of ``queries``. Half precision is summed
        in float32.

    Raises:
        InputError: For a window that is not odd and positive or has not one or two sides, a
            dilation below one or no whole number, or an unknown implementation; the message
            names the value.
        ValueError: For maps that are not four-dimensional floating point, or differ in shape or
            dtype.
    """
    window = window_sides(window)
    check_choice('implementation', implementation, IMPLEMENTATIONS)
    (dilation,) = whole_numbers('dilation', (dilation,))
    check_at_least('dilation', dilation, 1)
    _check_maps(queries, keys)
    if scale is None:
        scale = queries.shape[1] ** -0.5
    if implementation == 'reference':
        y = pair_reference(widened(queries), widened(keys), window, dilation, scale)
        return y.to(queries.dtype)
    return _operator(queries, keys, window, dilation, float(scale), implementation)


def _check_maps(queries: Tensor, keys: Tensor) -> None:
    for name, x in (('queries', queries), ('keys', keys)):
        if x.dim() != 4 or not x.is_floating_point():
            raise ValueError(
                f'{name} must be a floating point tensor (B, C, H, W), got '
                f'{x.dtype} of shape {tuple(x.shape)}'
            )
    if queries.shape != keys.shape or queries.dtype != keys.dtype:
        raise ValueError(
            f'queries and keys must agree, got {queries.dtype} of shape '
            f'{tuple(queries.shape)} and {keys.dtype} of shape {tuple(keys.shape)}'
        )
    if 0 in queries.shape[1:]:
        raise ValueError(
            f'queries must have no empty dimension but B, got shape {tuple(queries.shape)}'
        )


_ARGUMENTS = (
    'Tensor queries, Tensor keys, int[] window, int dilation, float scale, str implementation'
)


@torch.library.custom_op(
    'mmaction_ext::pair_correlation', mutates_args=(), schema=f'({_ARGUMENTS}) -> Tensor'
)
def _operator(
    queries: Tensor,
    keys: Tensor,
    window: Sequence[int],
    dilation: int,
    scale: float,
    implementation: str,
) -> Tensor:
    implementation = chosen_implementation(queries, window, dilation, implementation)
    if implementation == 'triton':
        what = triton.Correlation.of_pair(window, dilation)
        return triton.forward(queries.unsqueeze(2), keys.unsqueeze(2), what, scale).squeeze(2)
    frames = widened(queries), widened(keys)
    if implementation == 'native':
        y = native.forward(frames, _one_pair(dilation), 1, 1, window, scale).squeeze(2)
    else:
        y = multiply_frames(frames[0] * scale, frames[1], window, dilation, implementation)
    return y.to(queries.dtype)


def _one_pair(dilation: int) -> tuple[native.FramePair]:
    return (native.FramePair(0, 1, dilation, (native.Slab(0, 0, False),)),)


@_operator.register_fake
def _(
    queries: Tensor,
    keys: Tensor,
    window: Sequence[int],
    dilation: int,
    scale: float,
    implementation: str,
) -> Tensor:
    return queries.new_empty(queries.shape[0], window[0] * window[1], *queries.shape[2:])


@torch.library.custom_op(
    'mmaction_ext::pair_correlation_backward',
    mutates_args=(),
    schema=f'(Tensor grad, {_ARGUMENTS}) -> (Tensor, Tensor)',
)
def _operator_backward(
    grad: Tensor,
    queries: Tensor,
    keys: Tensor,
    window: Sequence[int],
    dilation: int,
    scale: float,
    implementation: str,
) -> tuple[Tensor, Tensor]:
    implementation = chosen_implementation(queries, window, dilation, implementation)
    if implementation == 'triton':
        what = triton.Correlation.of_pair(window, dilation)
        grad, queries, keys = (x.unsqueeze(2) for x in (grad, queries, keys))
        of_queries, of_keys = triton.backward(grad, queries, keys, what, scale)
        return of_queries.squeeze(2), of_keys.squeeze(2)
    grad, frames = widened(grad), (widened(queries), widened(keys))
    if implementation == 'native':
        of_queries, of_keys = grads = [frame.new_empty(frame.shape) for frame in frames]
        native.backward(grad.unsqueeze(2), frames, _one_pair(dilation), window, scale, grads)
    else:
        of_queries, of_keys = (
            x.mul_(scale)
            for x in multiply_frames_backward(grad, *frames, window, dilation, implementation)
        )
    return of_queries.to(queries.dtype), of_keys.to(queries.dtype)


@_operator_backward.register_fake
def _(
    grad: Tensor,
    queries: Tensor,
    keys: Tensor,
    window: Sequence[int],
    dilation: int,
    scale: float,
    implementation: str,
) -> tuple[Tensor, Tensor]:
    return queries.new_empty(queries.shape), keys.new_empty(keys.shape)


def _save(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    queries, keys, *ctx.arguments = inputs
    ctx.save_for_backward(queries, keys)


def _gradient(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    grads = _operator_backward(grad, *ctx.saved_tensors, *ctx.arguments)
    return (*grads, *[None] * len(ctx.arguments))


_operator.register_autograd(_gradient, setup_context=_save)


@register_flop_formula(torch.ops.mmaction_ext.pair_correlation)
def _flops(
    queries_shape: Sequence[int],
    keys_shape: Sequence[int],
    window: Sequence[int],
    *args: Any,
    **kwargs: Any,
) -> int:
    """``B * H * W * C * U * V`` multiply-adds, two operations each."""
    b, channels, height, width = queries_shape
    return 2 * b * height * width * channels * window[0] * window[1]


@register_flop_formula(torch.ops.mmaction_ext.pair_correlation_backward)
def _flops_backward(
    grad_shape: Sequence[int],
    queries_shape: Sequence[int],
    keys_shape: Sequence[int],
    window: Sequence[int],
    *args: Any,
    **kwargs: Any,
) -> int:
    """Both factors of every product get a gradient."""
    return 2 * _flops(queries_shape, keys_shape, window)
