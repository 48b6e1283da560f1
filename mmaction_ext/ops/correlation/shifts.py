"""Local correlation of pairs of frames as products with shifted copies.

Shape legend: B pairs of frames, C channels, H rows, W columns, K window, D = K*K displacements.

With ``R`` zero rows below and ``R`` zero columns to the right of every frame, a displacement is
one constant step in the flattened frames: a step over the edge lands in the zeros of that or
the neighbouring row or frame. Every product is then one pass over contiguous memory.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

# Values of one product. On the CPU it should stay in cache (1 MiB in float32); elsewhere each
# step should be worth its launch.
_CHUNK_ELEMENTS = {'cpu': 1 << 18}
_CHUNK_ELEMENTS_ELSEWHERE = 1 << 26


def multiply_frames(queries: Tensor, keys: Tensor, window: int, dilation: int) -> Tensor:
    """Inner products of the pixels of two frames within a window.

    Args:
        queries: The frames the window is centred in, (B, C, H, W).
        keys: The frames the window lies in, (B, C, H, W).
        window: ``K``, odd.
        dilation: Pixels between neighbouring displacements.

    Returns:
        Tensor of shape (B, D, H, W); displacements by rows, up to down and left to right.
    """
    out = queries.new_empty(len(queries), window**2, *queries.shape[2:])
    reach, steps = _steps(queries, window, dilation)
    for pairs in _chunks(queries, reach):
        query = _flatten(queries[pairs], reach)
        key = F.pad(_flatten(keys[pairs], reach), (steps[-1], steps[-1]))
        product, row = torch.empty_like(query), query.new_empty(query.shape[1])
        for k, step in enumerate(steps):
            torch.mul(query, _shifted(key, steps, k), out=product)
            torch.sum(product, dim=0, out=row)
            out[pairs, k] = _crop(row, out[pairs], reach)
    return out


def multiply_frames_backward(grad: Tensor, queries: Tensor, keys: Tensor, window: int,
                             dilation: int) -> tuple[Tensor, Tensor]:
    """Gradients of :func:`multiply_frames`.

    Args:
        grad: Gradient of the products, (B, D, H, W).
        queries: As in the forward pass, (B, C, H, W).
        keys: As in the forward pass, (B, C, H, W).
        window: ``K``, odd.
        dilation: Pixels between neighbouring displacements.

    Returns:
        The gradients of the queries and of the keys, (B, C, H, W) each.
    """
    of_queries, of_keys = torch.empty_like(queries), torch.empty_like(keys)
    reach, steps = _steps(queries, window, dilation)
    for pairs in _chunks(queries, reach):
        query = _flatten(queries[pairs], reach)
        key = F.pad(_flatten(keys[pairs], reach), (steps[-1], steps[-1]))
        weights = _flatten(grad[pairs], reach)
        query_grad, key_grad = torch.zeros_like(query), torch.zeros_like(key)
        for k, weight in enumerate(weights):
            query_grad.addcmul_(weight, _shifted(key, steps, k))
            _shifted(key_grad, steps, k).addcmul_(weight, query)
        inner = key_grad[:, steps[-1]:-steps[-1] or None]
        of_queries[pairs] = _crop(query_grad, of_queries[pairs], reach).transpose(0, 1)
        of_keys[pairs] = _crop(inner, of_keys[pairs], reach).transpose(0, 1)
    return of_queries, of_keys


def _steps(x: Tensor, window: int, dilation: int) -> tuple[int, list[int]]:
    """Padding ``R`` of a frame and the step of each displacement in the flat frames."""
    reach = window // 2 * dilation
    span = range(-reach, reach + 1, dilation)
    return reach, [row * (x.shape[-1] + reach) + column for row in span for column in span]


def _chunks(x: Tensor, reach: int) -> Iterator[slice]:
    """Slices of pairs whose products stay in cache."""
    num_pairs, channels, height, width = x.shape
    limit = _CHUNK_ELEMENTS.get(x.device.type, _CHUNK_ELEMENTS_ELSEWHERE)
    size = max(1, limit // (channels * (height + reach) * (width + reach)))
    return (slice(first, first + size) for first in range(0, num_pairs, size))


def _flatten(x: Tensor, reach: int) -> Tensor:
    """(b, C, H, W) -> (C, b * (H + R) * (W + R))."""
    return F.pad(x.transpose(0, 1), (0, reach, 0, reach)).flatten(1)


def _shifted(flat: Tensor, steps: list[int], k: int) -> Tensor:
    """The part of a flat tensor with margins that displacement ``k`` points to."""
    first = steps[-1] + steps[k]
    return flat[:, first:flat.shape[1] - 2 * steps[-1] + first]


def _crop(flat: Tensor, like: Tensor, reach: int) -> Tensor:
    """(..., b * (H + R) * (W + R)) -> (..., b, H, W), the sizes taken from ``like``."""
    pairs, (height, width) = len(like), like.shape[-2:]
    grid = flat.unflatten(-1, (pairs, height + reach, width + reach))
    return grid[..., :height, :width]
