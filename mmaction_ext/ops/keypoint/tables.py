"""Exact regional maxima by tables of the maxima of 1, 2, 4, ... neighbours.

Shape legend: B frames, G sets of regions, s regions along a side, C channels, H rows, W columns.

A value and its pixel are packed into one int64 key, whose maximum is the largest value and, among
equal ones, the first pixel. Two overlapping entries of a table cover any span of rows; a second
table over the columns of what they give covers the regions. All shapes are fixed, so there is no
wait for the borders on a GPU, and the cost hardly depends on the number of sets.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from mmaction_ext.ops.chunks import chunks

# Keys of one table on the CPU, where it should stay near the cache: 8 MiB.
_CHUNK_KEYS = 1 << 20


def maxima_by_tables(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Pixel of the largest value in each region.

    Args:
        x: Features of shape (B, H, W, C), float32 or less precise.
        rows: First row of each region, (B, G, s+1), int64, ascending from 0 to H.
        columns: First column of each region, (B, G, s+1), int64, ascending from 0 to W.

    Returns:
        Index ``row * W + column`` of the first largest value, (B, G, s*s, C), int64. The sign of
        a zero makes no difference; where a region holds a NaN, the index is any pixel of it.
    """
    num_sets, side = rows.shape[1], rows.shape[2] - 1
    out = rows.new_empty(x.shape[0], num_sets, side * side, x.shape[3])
    for frames in _chunks(x, num_sets * side):
        bands = _span_maxima(_keys(x[frames]).flatten(2), rows[frames])
        bands = bands.unflatten(-1, x.shape[2:]).flatten(0, 2)  # (b*G*s, W, C)
        spans = columns[frames].repeat_interleave(side, dim=1).flatten(0, 1).unsqueeze(1)
        keys = _span_maxima(bands, spans).view(out[frames].shape)
        out[frames] = x.shape[1] * x.shape[2] - 1 - (keys & 0xFFFFFFFF)
    return out


def _chunks(x: Tensor, num_bands: int) -> Iterator[slice]:
    """Slices of frames whose larger table, of the rows or of the columns, is small."""
    height, width, channels = x.shape[1:]
    of_rows = height.bit_length() * height * width * channels
    of_columns = width.bit_length() * num_bands * width * channels
    return chunks(x, max(of_rows, of_columns), _CHUNK_KEYS)


def _keys(x: Tensor) -> Tensor:
    """Keys (b, H, W, C) that order pixels by value, and the earlier of equal ones last."""
    bits = (x.float() + 0.0).view(torch.int32)  # -0.0 + 0.0 is 0.0
    ordered = torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits).long()
    height, width = x.shape[1:3]
    behind = torch.arange(height * width - 1, -1, -1, device=x.device)
    return (ordered << 32) | behind.view(height, width, 1)


def _span_maxima(keys: Tensor, borders: Tensor) -> Tensor:
    """Maxima of spans of rows.

    Args:
        keys: (b, L, D).
        borders: First row of each span, (b, G, s+1), ascending.

    Returns:
        Tensor of shape (b, G, s, D).
    """
    num_levels, length = keys.shape[1].bit_length(), keys.shape[1]
    table = keys.new_empty(keys.shape[0], num_levels, *keys.shape[1:])
    table[:, 0] = keys
    for above in range(1, num_levels):
        half, valid = 2 ** (above - 1), length - 2**above + 1
        below, here = table[:, above - 1], table[:, above]
        torch.maximum(below[:, :valid], below[:, half : half + valid], out=here[:, :valid])
    first, last = borders[..., :-1], borders[..., 1:]
    level = torch.zeros_like(first)
    for above in range(1, num_levels):
        level += last - first >= 2**above
    frame = torch.arange(len(keys), device=keys.device).view(-1, 1, 1)
    start = (frame * num_levels + level) * length
    flat = table.flatten(0, 2)
    upper = flat[start + first]
    return torch.maximum(upper, flat[start + last - 2**level], out=upper)
