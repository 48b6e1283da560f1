"""Key points and means of the cells of a grid.

The borders of its s x s regions differ from frame to frame and from set to set of regions.

Shape legend: N clips, G sets of regions, K = s*s regions, C channels, T frames, H rows, W columns,
P = H*W pixels.

Finding maxima and summing regions are operators of PyTorch (``mmaction_ext::regional_argmax``,
``mmaction_ext::masked_sums``), so they run under autocast, ``torch.compile`` and on the meta
device. Both are pooling: the FLOP counter counts nothing for them.
"""

from typing import Any

import torch
from torch import Tensor

from mmaction_ext.errors import InputError, check_choice, check_positive
from mmaction_ext.ops.keypoint.borders import coverage, keep_apart, pixel_borders, region_masks
from mmaction_ext.ops.keypoint.reference import maxima_reference, means_reference
from mmaction_ext.ops.keypoint.tables import maxima_by_tables
from mmaction_ext.ops.precision import wide_dtype, widened

MAXIMA_IMPLEMENTATIONS = ('auto', 'reference', 'tables')
MEAN_IMPLEMENTATIONS = ('auto', 'reference')
# Values more than so many temperatures below the largest of their map weigh alike: e**-80 is
# still a normal float32.
_LOWEST_EXPONENT = -80.0
# The spread of a map is at least this part of its largest magnitude: a softmax that knows no scale
# would otherwise have an endless gradient where all values are equal.
_LEAST_SPREAD = 0.01
# A map with no larger magnitude is a map of zeros.
_ZERO = 1e-12


def regional_key_points(
    x: Tensor, row_borders: Tensor, column_borders: Tensor, implementation: str = 'auto'
) -> tuple[Tensor, Tensor]:
    """Largest value of each region and where it is, for each channel.

    Equations 6 and 7 of "KPSEM". A pixel belongs to the region its centre lies in; of
    equal values, also of zeros of different sign, the first by rows is taken.

    Args:
        x: Features of shape (N, C, T, H, W), floating point, any strides; channels_last_3d is
            the quickest.
        row_borders: Borders from top to bottom, (N, G, T, s+1), in pixels from the upper edge.
            They are rounded and kept at least one pixel apart; the first and the last are the
            edges of the map.
        column_borders: Borders from left to right, likewise.
        implementation: ``'tables'`` (not for float64), ``'reference'`` (loops) or ``'auto'``.

    Returns:
        Coordinates ``I``, (N, G, K, C, T, 2), int64, (row, column) counted from 0; and values
        ``V``, (N, G, K, C, T), of the dtype of ``x``. K = s*s counts regions by rows. The
        gradient of a value goes to its pixel.

    Raises:
        InputError: For tensors of other shapes or kinds, a map with fewer than s pixels along a
            side, an unknown implementation, or ``'tables'`` for float64; the message names the
            value.
    """
    _check(x, row_borders, column_borders)
    check_choice('implementation', implementation, MAXIMA_IMPLEMENTATIONS)
    if implementation == 'tables' and x.dtype == torch.float64:
        raise InputError("implementation='tables' holds values of 32 bits, got x of float64")
    height, width = x.shape[-2:]
    rows = pixel_borders(widened(row_borders), height)
    columns = pixel_borders(widened(column_borders), width)
    if implementation == 'reference' or x.dtype == torch.float64:
        index = maxima_reference(x.detach(), rows, columns).permute(0, 4, 1, 2, 3)
    else:
        index = _regional_argmax(x.detach(), rows, columns)
    values = _pixels_first(x).gather(2, index.flatten(2, 3)).unflatten(2, index.shape[2:4])
    points = torch.stack((index // width, index % width), dim=-1)
    return points.permute(0, 2, 3, 4, 1, 5), values.permute(0, 2, 3, 4, 1)


def regional_mean(
    x: Tensor,
    row_borders: Tensor,
    column_borders: Tensor,
    whole_pixels: bool = False,
    implementation: str = 'auto',
) -> Tensor:
    """Mean of each region, for each channel: the pooling ``P_R`` of equation 11 of "KPSEM".

    Args:
        x: As for :func:`regional_key_points`.
        row_borders: As for :func:`regional_key_points`.
        column_borders: As for :func:`regional_key_points`.
        whole_pixels: Round the borders, as :func:`regional_key_points` does. If not, the mean is
            over the area between the borders, a pixel they cut counts in part, and borders get
            gradients. Both are the same where borders are whole.
        implementation: ``'reference'`` (loops, no gradient for borders) or ``'auto'``.

    Returns:
        Tensor of shape (N, G, K, C, T) and of the dtype of ``x``; half precision is summed in
        float32.

    Raises:
        InputError: For tensors of other shapes or kinds, a map with fewer than s pixels along a
            side, or an unknown implementation; the message names the value.
    """
    _check(x, row_borders, column_borders)
    check_choice('implementation', implementation, MEAN_IMPLEMENTATIONS)
    height, width = x.shape[-2:]
    place = pixel_borders if whole_pixels else keep_apart
    rows = place(widened(row_borders), height)
    columns = place(widened(column_borders), width)
    if implementation == 'reference':
        return means_reference(x, rows, columns)
    exact = wide_dtype(x.dtype)
    rows, columns = (
        _shares(borders.to(exact), size, mean=True)
        for borders, size in ((rows, height), (columns, width))
    )
    sums = _region_sums(_pixels_first(x), region_masks(rows, columns))
    return sums.permute(0, 2, 3, 4, 1).to(x.dtype)


def soft_key_points(
    x: Tensor, row_borders: Tensor, column_borders: Tensor, temperature: float
) -> tuple[Tensor, Tensor]:
    """Differentiable key points: expected coordinates and value under a softmax in each region.

    A pixel weighs ``share * exp(value / (temperature * spread))``: its share is the part of it
    that lies in the region, and the spread is the largest value of its map (one channel of one
    frame) less the mean, so that the scale of the features makes no difference. It is taken as a
    hundredth of the map's largest magnitude if it is less, and as 1 in a map of zeros: in a map
    that is as good as even, pixels weigh alike, and gradients are bounded. With a small
    temperature and whole borders this comes near :func:`regional_key_points`; unlike there,
    borders get gradients.

    Args:
        x: As for :func:`regional_key_points`.
        row_borders: As for :func:`regional_key_points`, but not rounded.
        column_borders: As for :func:`regional_key_points`, but not rounded.
        temperature: In spreads, positive. Values more than 80 temperatures below the largest of
            their map weigh alike, so 0.02 leaves a region that lies below the mean nothing to
            choose from, and less is of no use.

    Returns:
        Coordinates (N, G, K, C, T, 2) and values (N, G, K, C, T), float32 or float64.

    Raises:
        InputError: For tensors of other shapes or kinds, a map with fewer than s pixels along a
            side, or a temperature that is not positive; the message names the value.
    """
    _check(x, row_borders, column_borders)
    check_positive('temperature', temperature)
    height, width = x.shape[-2:]
    exact = wide_dtype(x.dtype)
    rows = _shares(keep_apart(widened(row_borders), height).to(exact), height)
    columns = _shares(keep_apart(widened(column_borders), width).to(exact), width)
    pixels = _pixels_first(x).to(exact)
    weight = _soft_weights(pixels, temperature)
    total, at_row, at_column = (
        _region_sums(weight, region_masks(*shares))
        for shares in (
            (rows, columns),
            (_times_position(rows), columns),
            (rows, _times_position(columns)),
        )
    )
    values = _region_sums(weight * pixels, region_masks(rows, columns)) / total
    points = torch.stack((at_row / total, at_column / total), dim=-1)
    return points.permute(0, 2, 3, 4, 1, 5), values.permute(0, 2, 3, 4, 1)


def _soft_weights(pixels: Tensor, temperature: float) -> Tensor:
    """``exp(value / (temperature * spread))`` but for a factor of the map, (N, T, P, C)."""
    largest = pixels.amax(dim=2, keepdim=True)
    magnitude = pixels.detach().abs().amax(dim=2, keepdim=True)
    spread = largest - pixels.mean(dim=2, keepdim=True)
    spread = torch.maximum(spread, _LEAST_SPREAD * magnitude)
    spread = spread.where(magnitude > _ZERO, 1)
    return ((pixels - largest) / spread / temperature).clamp(min=_LOWEST_EXPONENT).exp()


def _check(x: Tensor, row_borders: Tensor, column_borders: Tensor) -> None:
    if x.dim() != 5 or not x.is_floating_point():
        raise InputError(
            f'x must be a floating point tensor (N, C, T, H, W), got {x.dtype} of '
            f'shape {tuple(x.shape)}'
        )
    for name, borders in (('row_borders', row_borders), ('column_borders', column_borders)):
        if borders.dim() != 4 or borders.shape[::2] != x.shape[:3:2] or borders.shape[-1] < 2:
            raise InputError(
                f'{name} must have shape (N, G, T, s+1) with N={x.shape[0]} and '
                f'T={x.shape[2]}, got {tuple(borders.shape)}'
            )
    if row_borders.shape != column_borders.shape:
        raise InputError(
            f'row_borders {tuple(row_borders.shape)} and column_borders '
            f'{tuple(column_borders.shape)} must have one shape'
        )
    side = row_borders.shape[-1] - 1
    if min(x.shape[-2:]) < side:
        raise InputError(
            f'a map of {x.shape[-2]}x{x.shape[-1]} pixels cannot be split into '
            f'{side}x{side} regions'
        )


def _pixels_first(x: Tensor) -> Tensor:
    """(N, C, T, H, W) -> (N, T, H*W, C); a view of features in channels_last_3d."""
    return x.permute(0, 2, 3, 4, 1).flatten(2, 3)


def _shares(borders: Tensor, size: int, mean: bool = False) -> Tensor:
    """Shares of pixels in regions, (N, T, G, s, size), for a mean divided by their sum."""
    borders = borders.transpose(1, 2)
    shares = coverage(borders, size)
    return shares / borders.diff(dim=-1).unsqueeze(-1) if mean else shares


def _times_position(shares: Tensor) -> Tensor:
    return shares * torch.arange(shares.shape[-1], device=shares.device)


def _region_sums(pixels: Tensor, masks: Tensor) -> Tensor:
    """Sums of pixels (N, T, P, C) under masks (N, T, G, K, P), as (N, T, G, K, C)."""
    sums = _masked_sums(pixels.flatten(0, 1), masks.flatten(2, 3).flatten(0, 1))
    return sums.unflatten(1, masks.shape[2:4]).unflatten(0, masks.shape[:2])


@torch.library.custom_op(
    'mmaction_ext::regional_argmax',
    mutates_args=(),
    schema='(Tensor x, Tensor rows, Tensor columns) -> Tensor',
)
def _regional_argmax(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    frames = x.permute(0, 2, 3, 4, 1).flatten(0, 1)
    rows, columns = (borders.transpose(1, 2).flatten(0, 1) for borders in (rows, columns))
    return maxima_by_tables(frames, rows, columns).unflatten(0, (x.shape[0], x.shape[2]))


@_regional_argmax.register_fake
def _(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    n, num_sets, num_frames, num_borders = rows.shape
    return rows.new_empty(n, num_frames, num_sets, (num_borders - 1) ** 2, x.shape[1])


@torch.library.custom_op(
    'mmaction_ext::masked_sums', mutates_args=(), schema='(Tensor pixels, Tensor masks) -> Tensor'
)
def _masked_sums(pixels: Tensor, masks: Tensor) -> Tensor:
    """(B, P, C) under (B, R, P) -> (B, R, C), in the dtype of the masks."""
    with torch.autocast(pixels.device.type, enabled=False):
        return torch.bmm(masks, pixels.to(masks.dtype))


@_masked_sums.register_fake
def _(pixels: Tensor, masks: Tensor) -> Tensor:
    return masks.new_empty(*masks.shape[:2], pixels.shape[2])


@torch.library.custom_op(
    'mmaction_ext::masked_sums_backward',
    mutates_args=(),
    schema='(Tensor grad, Tensor other, bool of_masks) -> Tensor',
)
def _masked_sums_backward(grad: Tensor, other: Tensor, of_masks: bool) -> Tensor:
    """Gradient of the masks from the pixels, or of the pixels from the masks."""
    with torch.autocast(grad.device.type, enabled=False):
        other = other.to(grad.dtype).transpose(1, 2)
        return torch.bmm(grad, other) if of_masks else torch.bmm(other, grad)


@_masked_sums_backward.register_fake
def _(grad: Tensor, other: Tensor, of_masks: bool) -> Tensor:
    if of_masks:
        return grad.new_empty(*grad.shape[:2], other.shape[1])
    return grad.new_empty(grad.shape[0], other.shape[2], grad.shape[2])


def _save(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
    pixels, masks = inputs
    of_pixels, of_masks = ctx.needs_input_grad[:2]
    ctx.dtype = pixels.dtype
    ctx.save_for_backward(pixels if of_masks else None, masks if of_pixels else None)


def _gradient(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
    pixels, masks = ctx.saved_tensors
    of_pixels = None if masks is None else _masked_sums_backward(grad, masks, False)
    of_masks = None if pixels is None else _masked_sums_backward(grad, pixels, True)
    return None if of_pixels is None else of_pixels.to(ctx.dtype), of_masks


_masked_sums.register_autograd(_gradient, setup_context=_save)
