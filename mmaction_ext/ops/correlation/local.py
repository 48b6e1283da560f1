"""Local correlation between the frames of a clip, the operation under DCF and SELFY."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import register_flop_formula

from mmaction_ext.errors import InputError, check_at_least, check_choice, whole_numbers
from mmaction_ext.ops.correlation import native, triton
from mmaction_ext.ops.correlation.choice import IMPLEMENTATIONS, chosen_implementation
from mmaction_ext.ops.correlation.frame_pairs import correlation_backward, correlation_forward
from mmaction_ext.ops.correlation.reference import correlation_reference
from mmaction_ext.ops.precision import widened
from mmaction_ext.ops.window import Window, window_sides

CLIP_BORDERS = ('zeros', 'replicate', 'circular')


def local_correlation(
    x: Tensor,
    offsets: Sequence[int],
    window: Window = 5,
    dilation: int | Sequence[int] = 1,
    clip_border: str = 'zeros',
    scale: float | None = None,
    implementation: str = 'auto',
) -> Tensor:
    """Inner products of every pixel with the pixels around it in other frames.

    Equation 1 of "Dense Correlation Fields for Motion Modeling in Action Recognition" within a
    window, for several frames at once (section 3.2, long-term correlation). With ``tau`` the
    ``o``-th offset and ``s`` its dilation, output channel ``(o * U + a) * V + b`` at frame
    ``t``, row ``i``, column ``j`` is

        scale * <x[:, :, t, i, j], x[:, :, t + tau, i + s * (a - U // 2), j + s * (b - V // 2)]>

    so ``a`` counts the vertical displacement from up to down and ``b`` the horizontal one from
    left to right: a texture that moves by ``(dy, dx)`` pixels (down, right) from frame ``t`` to
    frame ``t + tau`` peaks at ``a = U // 2 + dy / s``, ``b = V // 2 + dx / s``. Pixels outside
    the map count as zero.

    Args:
        x: Features of shape (N, C, T, H, W), floating point, any strides.
        offsets: Frames between the two pixels, one int each; negative looks back.
        window: ``(U, V)``, vertical and horizontal displacements, odd, or one int for both
            (``K`` in DCF).
        dilation: Pixels between neighbouring displacements, for all offsets or one each.
        clip_border: What stands outside the clip: ``'zeros'``, ``'replicate'`` (the first and
            last frame go on) or ``'circular'``.
        scale: Factor of every product; ``1 / sqrt(C)`` (equation 1) when None.
        implementation: ``'auto'``, the quickest there is (:func:`chosen_implementation` tells),
            ``'native'`` (compiled C, on the CPU, no float64), ``'triton'`` (NVIDIA GPUs, no
            float64), ``'portable'`` (PyTorch: ``'shifts'`` or ``'gram'``, which can be asked for,
            too) or ``'reference'`` (loops, slow).

    Returns:
        Tensor of shape (N, len(offsets) * U*V, T, H, W) and of the dtype of ``x``. Half
        precision is summed in float32.

    Raises:
        InputError: For an empty list of offsets, a window that is not odd and positive or has
            not one or two sides, a dilation below one or of the wrong number, an offset or a
            dilation that is no whole number, or an unknown border or implementation; the
            message names the value.
        ValueError: For a tensor that is not five-dimensional floating point.
    """
    offsets = whole_numbers('offsets', offsets)
    dilations = _dilations(dilation, len(offsets))
    window = window_sides(window)
    _check_options(offsets, dilations, clip_border)
    check_choice('implementation', implementation, IMPLEMENTATIONS)
    _check_features(x)
    if scale is None:
        scale = x.shape[1] ** -0.5
    if implementation == 'reference':
        y = correlation_reference(widened(x), offsets, window, dilations, clip_border, scale)
        return y.to(x.dtype)
    return _operator(x, offsets, window, dilations, clip_border, float(scale), implementation)


def _dilations(dilation: int | Sequence[int], num_offsets: int) -> tuple[int, ...]:
    if not hasattr(dilation, '__iter__'):
        dilation = (dilation,) * num_offsets
    return whole_numbers('dilation', dilation)


def _check_options(offsets: Sequence[int], dilations: Sequence[int], clip_border: str) -> None:
    if not offsets:
        raise InputError('offsets must hold at least one frame offset, got none')
    if len(dilations) != len(offsets):
        raise InputError(
            f'dilation must be one int or one per offset: got {len(dilations)} '
            f'for {len(offsets)} offsets'
        )
    check_at_least('dilation', min(dilations), 1)
    check_choice('clip_border', clip_border, CLIP_BORDERS)


def _check_features(x: Tensor) -> None:
    if x.dim() != 5 or not x.is_floating_point():
        raise ValueError(
            f'x must be a floating point tensor (N, C, T, H, W), got {x.dtype} of '
            f'shape {tuple(x.shape)}'
        )
    if 0 in x.shape[1:]:
        raise ValueError(f'x must have no empty dimension but N, got shape {tuple(x.shape)}')


_ARGUMENTS = (
    'Tensor x, int[] offsets, int[] window, int[] dilations, str clip_border, '
    'float scale, str implementation'
)


@torch.library.custom_op(
    'mmaction_ext::local_correlation', mutates_args=(), schema=f'({_ARGUMENTS}) -> Tensor'
)
def _operator(
    x: Tensor,
    offsets: Sequence[int],
    window: Sequence[int],
    dilations: Sequence[int],
    clip_border: str,
    scale: float,
    implementation: str,
) -> Tensor:
    implementation = chosen_implementation(x, window, dilations, implementation)
    if implementation == 'triton':
        return triton.forward(x, x, _correlation(offsets, window, dilations, clip_border), scale)
    wide = widened(x)
    if implementation == 'native':
        pairs = native.clip_pairs(x.shape[2], tuple(offsets), tuple(dilations), clip_border)
        y = native.forward(wide.unbind(2), pairs, len(offsets), x.shape[2], window, scale)
    else:
        y = correlation_forward(
            wide, offsets, window, dilations, clip_border, scale, implementation
        )
    return y.to(x.dtype)


def _correlation(
    offsets: Sequence[int], window: Sequence[int], dilations: Sequence[int], clip_border: str
) -> triton.Correlation:
    return triton.Correlation(
        tuple(offsets), tuple(dilations), (window[0], window[1]), clip_border
    )


@_operator.register_fake
def _(
    x: Tensor,
    offsets: Sequence[int],
    window: Sequence[int],
    dilations: Sequence[int],
    clip_border: str,
    scale: float,
    implementation: str,
) -> Tensor:
    return x.new_empty(x.shape[0], len(offsets) * window[0] * window[1], *x.shape[2:])


@torch.library.custom_op(
    'mmaction_ext::local_correlation_backward',
    mutates_args=(),
    schema=f'(Tensor grad, {_ARGUMENTS}) -> Tensor',
)
def _operator_backward(
    grad: Tensor,
    x: Tensor,
    offsets: Sequence[int],
    window: Sequence[int],
    dilations: Sequence[int],
    clip_border: str,
    scale: float,
    implementation: str,
) -> Tensor:
    implementation = chosen_implementation(x, window, dilations, implementation)
    if implementation == 'triton':
        what = _correlation(offsets, window, dilations, clip_border)
        return triton.backward(grad, x, x, what, scale)[0]
    wide = widened(x)
    if implementation == 'native':
        pairs = native.clip_pairs(x.shape[2], tuple(offsets), tuple(dilations), clip_border)
        y = wide.new_empty(wide.transpose(1, 2).shape)
        native.backward(widened(grad), wide.unbind(2), pairs, window, scale, y.unbind(1))
        y = y.transpose(1, 2)
    else:
        y = correlation_backward(
            widened(grad), wide, offsets, window, dilations, clip_border, scale, implementation
        )
    return y.to(x.dtype)


@_operator_backward.register_fake
def _(
    grad: Tensor,
    x: Tensor,
    offsets: Sequence[int],
    window: Sequence[int],
    dilations: Sequence[int],
    clip_border: str,
    scale: float,
    implementation: str,
) -> Tensor:
    return x.new_empty(x.transpose(1, 2).shape).transpose(1, 2)


def _save(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    x, *ctx.arguments = inputs
    ctx.save_for_backward(x)


def _gradient(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
    (x,) = ctx.saved_tensors
    return (_operator_backward(grad, x, *ctx.arguments), *[None] * len(ctx.arguments))


_operator.register_autograd(_gradient, setup_context=_save)


@register_flop_formula(torch.ops.mmaction_ext.local_correlation)
def _flops(
    x_shape: Sequence[int],
    offsets: Sequence[int],
    window: Sequence[int],
    *args: Any,
    **kwargs: Any,
) -> int:
    """Equation 2 of the paper, two operations for each multiply-add."""
    n, channels, num_frames, height, width = x_shape
    num_displacements = window[0] * window[1] * len(offsets)
    return 2 * n * num_frames * height * width * channels * num_displacements


@register_flop_formula(torch.ops.mmaction_ext.local_correlation_backward)
def _flops_backward(
    grad_shape: Sequence[int],
    x_shape: Sequence[int],
    offsets: Sequence[int],
    window: Sequence[int],
    *args: Any,
    **kwargs: Any,
) -> int:
    """Both factors of every product get a gradient."""
    return 2 * _flops(x_shape, offsets, window)
