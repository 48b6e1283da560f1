"""Key points and means of the cells of a grid.

The borders of its s x s regions differ from frame to frame and from set to set of regions.

Shape legend: N clips, G sets of regions, K = s*s regions, C channels, T frames, H rows, W columns,
P = H*W pixels.

Finding maxima and summing regions are operators of PyTorch, so they run under autocast,
``torch.compile`` and on the meta device. Both are pooling: the FLOP counter counts nothing for
them.
"""

import torch
from torch import Tensor

from mmaction_ext.errors import InputError, check_choice, check_positive
from mmaction_ext.ops.keypoint import maxima, sums
from mmaction_ext.ops.keypoint.borders import coverage, keep_apart, pixel_borders
from mmaction_ext.ops.keypoint.maxima import region_maxima
from mmaction_ext.ops.keypoint.reference import maxima_reference, means_reference
from mmaction_ext.ops.keypoint.sums import region_sums
from mmaction_ext.ops.precision import wide_dtype, widened

MAXIMA_IMPLEMENTATIONS = (*maxima.IMPLEMENTATIONS, 'reference')
MEAN_IMPLEMENTATIONS = (*sums.IMPLEMENTATIONS, 'reference')
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
        implementation: ``'native'`` (compiled C, on the CPU) and ``'triton'`` (NVIDIA GPUs), which
            ``'auto'`` takes where it can, not for float64; ``'portable'`` (PyTorch) or
            ``'reference'`` (loops).

    Returns:
        Coordinates ``I``, (N, G, K, C, T, 2), int64, (row, column) counted from 0; and values
        ``V``, (N, G, K, C, T), of the dtype of ``x``. K = s*s counts regions by rows. The
        gradient of a value goes to its pixel.

    Raises:
        InputError: For tensors of other shapes or kinds, a map with fewer than s pixels along a
            side, an unknown implementation, or one that is not available; the message names
            the value.
    """
    _check(x, row_borders, column_borders)
    check_choice('implementation', implementation, MAXIMA_IMPLEMENTATIONS)
    height, width = x.shape[-2:]
    rows = pixel_borders(widened(row_borders), height)
    columns = pixel_borders(widened(column_borders), width)
    if implementation == 'reference':
        index = maxima_reference(x.detach(), rows, columns)
        pixel = index.permute(0, 3, 4, 1, 2).flatten(3)  # (N, C, T, G*K)
        values = x.flatten(3).gather(3, pixel).unflatten(3, index.shape[1:3])
        values = values.permute(0, 3, 4, 1, 2)
        return torch.stack((index // width, index % width), dim=-1), values
    values, points = region_maxima(x, rows, columns, implementation)
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
        implementation: ``'triton'`` (NVIDIA GPUs, not for float64), which ``'auto'`` takes where
            it can, ``'portable'`` (PyTorch) or ``'reference'`` (loops, no gradient for borders).

    Returns:
        Tensor of shape (N, G, K, C, T) and of the dtype of ``x``; half precision is summed in
        float32.

    Raises:
        InputError: For tensors of other shapes or kinds, a map with fewer than s pixels along a
            side, an unknown implementation, or one that is not available; the message names
            the value.
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
    return _sums(x, rows, columns, implementation).to(x.dtype)


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
    x = x.to(exact)
    weight = _soft_weights(x, temperature)
    total, at_row, at_column = (
        _sums(weight, *shares)
        for shares in (
            (rows, columns),
            (_times_position(rows), columns),
            (rows, _times_position(columns)),
        )
    )
    values = _sums(weight * x, rows, columns) / total
    return torch.stack((at_row / total, at_column / total), dim=-1), values


def _soft_weights(x: Tensor, temperature: float) -> Tensor:
    """``exp(value / (temperature * spread))`` but for a factor of the map, (N, C, T, H, W)."""
    largest = x.amax(dim=(3, 4), keepdim=True)
    magnitude = x.detach().abs().amax(dim=(3, 4), keepdim=True)
    spread = largest - x.mean(dim=(3, 4), keepdim=True)
    spread = torch.maximum(spread, _LEAST_SPREAD * magnitude)
    spread = spread.where(magnitude > _ZERO, 1)
    return ((x - largest) / spread / temperature).clamp(min=_LOWEST_EXPONENT).exp()


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


def _shares(borders: Tensor, size: int, mean: bool = False) -> Tensor:
    """Shares of pixels in regions, (N, T, G, s, size), for a mean divided by their sum."""
    borders = borders.transpose(1, 2).contiguous()
    shares = coverage(borders, size)
    return shares / borders.diff(dim=-1).unsqueeze(-1) if mean else shares


def _times_position(shares: Tensor) -> Tensor:
    return shares * torch.arange(shares.shape[-1], device=shares.device)


def _sums(x: Tensor, rows: Tensor, columns: Tensor, implementation: str = 'auto') -> Tensor:
    """Sums of pixels times their shares of rows and of columns, (N, G, K, C, T)."""
    return region_sums(x, rows, columns, implementation).permute(0, 2, 3, 4, 1)
