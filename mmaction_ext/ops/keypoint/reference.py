"""Regional maxima and means as plain loops: the oracle of the faster versions.

Shape legend: N clips, G sets of regions, K = s*s regions, C channels, T frames, H rows, W columns.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

# clip, set, region, frame
Place = tuple[int, int, int, int]


def maxima_reference(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Pixel of the largest value in each region, by loops over clips, sets, frames and regions.

    Args:
        x: Features of shape (N, C, T, H, W).
        rows: First row of each region, (N, G, T, s+1), int64.
        columns: First column of each region, (N, G, T, s+1), int64.

    Returns:
        Index ``row * W + column`` of the first largest value, (N, G, K, C, T), int64.
    """
    num_regions = (rows.shape[-1] - 1) ** 2
    out = torch.empty(
        *rows.shape[:2], num_regions, x.shape[1], x.shape[2], dtype=torch.int64, device=x.device
    )
    for (n, g, k, t), top, bottom, left, right in _regions(rows, columns):
        region = x[n, :, t, top:bottom, left:right]
        first = region.flatten(1).max(dim=1).indices  # the first one, as PyTorch documents
        row, column = first // (right - left), first % (right - left)
        out[n, g, k, :, t] = (top + row) * x.shape[-1] + left + column
    return out


def means_reference(x: Tensor, row_borders: Tensor, column_borders: Tensor) -> Tensor:
    """Mean of each region over its area, by loops over clips, sets, frames and regions.

    Args:
        x: Features of shape (N, C, T, H, W).
        row_borders: (N, G, T, s+1), ascending from 0 to H, whole or not.
        column_borders: (N, G, T, s+1), ascending from 0 to W.

    Returns:
        Tensor of shape (N, G, K, C, T).
    """
    num_regions = (row_borders.shape[-1] - 1) ** 2
    out = x.new_zeros(*row_borders.shape[:2], num_regions, x.shape[1], x.shape[2])
    for (n, g, k, t), top, bottom, left, right in _regions(row_borders, column_borders):
        for i in range(x.shape[3]):
            for j in range(x.shape[4]):
                share = _overlap(i, top, bottom) * _overlap(j, left, right)
                out[n, g, k, :, t] += share * x[n, :, t, i, j]
        out[n, g, k, :, t] /= (bottom - top) * (right - left)
    return out


def _regions(rows: Tensor, columns: Tensor) -> Iterator[tuple[Place, float, float, float, float]]:
    """Each region with its upper, lower, left and right border."""
    side = rows.shape[-1] - 1
    for n in range(rows.shape[0]):
        for g in range(rows.shape[1]):
            for t in range(rows.shape[2]):
                vertical, horizontal = rows[n, g, t].tolist(), columns[n, g, t].tolist()
                for k in range(side**2):
                    a, b = divmod(k, side)
                    yield (n, g, k, t), *vertical[a : a + 2], *horizontal[b : b + 2]


def _overlap(pixel: int, first: float, last: float) -> float:
    """Length that a pixel shares with the span from ``first`` to ``last``."""
    return max(0.0, min(pixel + 1, last) - max(pixel, first))
