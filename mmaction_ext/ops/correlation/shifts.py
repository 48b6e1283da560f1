"""Correlation of pairs of frames as products with shifted copies.

Shape legend: B pairs of frames, C channels, H rows, W columns, U x V window, D = U*V.

With zeros below and to the right of every frame, as far as the window reaches, a displacement is
one constant step in the flattened frames: a step over the edge lands in the zeros of that or
the neighbouring row or frame. Every product is then one pass over contiguous memory.
"""

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from mmaction_ext.ops.chunks import chunks
from mmaction_ext.ops.window import window_displacements

# Values of one product on the CPU: 1 MiB in float32.
_CHUNK_ELEMENTS = 1 << 18


def multiply_frames(queries: Tensor, keys: Tensor, window: Sequence[int], dilation: int) -> Tensor:
    """See :func:`mmaction_ext.ops.correlation.multiply.multiply_frames`."""
    reach, steps = _steps(queries, window, dilation)
    out = queries.new_empty(len(queries), len(steps), *queries.shape[2:])
    for pairs in _chunks(queries, reach):
        query = _flatten(queries[pairs], reach)
        key = F.pad(_flatten(keys[pairs], reach), (steps[-1], steps[-1]))
        product, row = torch.empty_like(query), query.new_empty(query.shape[1])
        for k in range(len(steps)):
            torch.mul(query, _shifted(key, steps, k), out=product)
            torch.sum(product, dim=0, out=row)
            out[pairs, k] = _crop(row, out[pairs], reach)
    return out


def multiply_frames_backward(
    grad: Tensor, queries: Tensor, keys: Tensor, window: Sequence[int], dilation: int
) -> tuple[Tensor, Tensor]:
    """See :func:`mmaction_ext.ops.correlation.multiply.multiply_frames_backward`."""
    of_queries, of_keys = (x.new_empty(x.shape) for x in (queries, keys))
    reach, steps = _steps(queries, window, dilation)
    for pairs in _chunks(queries, reach):
        query = _flatten(queries[pairs], reach)
        key = F.pad(_flatten(keys[pairs], reach), (steps[-1], steps[-1]))
        weights = _flatten(grad[pairs], reach)
        query_grad, key_grad = torch.zeros_like(query), torch.zeros_like(key)
        for k, weight in enumerate(weights):
            query_grad.addcmul_(weight, _shifted(key, steps, k))
            _shifted(key_grad, steps, k).addcmul_(weight, query)
        inner = key_grad[:, steps[-1] : -steps[-1] or None]
        of_queries[pairs] = _crop(query_grad, of_queries[pairs], reach).transpose(0, 1)
        of_keys[pairs] = _crop(inner, of_keys[pairs], reach).transpose(0, 1)
    return of_queries, of_keys


def _steps(x: Tensor, window: Sequence[int], dilation: int) -> tuple[tuple[int, int], list[int]]:
    """Padding (rows, columns) of a frame and the step of each displacement in flat frames."""
    displacements = window_displacements(window, dilation)
    reach = displacements[-1]
    return reach, [dy * (x.shape[-1] + reach[1]) + dx for dy, dx in displacements]


def _chunks(x: Tensor, reach: tuple[int, int]) -> Iterator[slice]:
    """Slices of pairs whose products stay in cache."""
    channels, height, width = x.shape[1:]
    return chunks(x, channels * (height + reach[0]) * (width + reach[1]), _CHUNK_ELEMENTS)


def _flatten(x: Tensor, reach: tuple[int, int]) -> Tensor:
    """(b, C, H, W) -> (C, b * (H + rows) * (W + columns))."""
    return F.pad(x.transpose(0, 1), (0, reach[1], 0, reach[0])).flatten(1)


def _shifted(flat: Tensor, steps: list[int], k: int) -> Tensor:
    """The part of a flat tensor with margins that displacement ``k`` points to."""
    first = steps[-1] + steps[k]
    return flat[:, first : flat.shape[1] - 2 * steps[-1] + first]


def _crop(flat: Tensor, like: Tensor, reach: tuple[int, int]) -> Tensor:
    """(..., b * (H + rows) * (W + columns)) -> (..., b, H, W), the sizes taken from ``like``."""
    pairs, (height, width) = len(like), like.shape[-2:]
    grid = flat.unflatten(-1, (pairs, height + reach[0], width + reach[1]))
    return grid[..., :height, :width]
