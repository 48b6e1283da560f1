"""Correlation of pairs of frames as the product of all pixels with all pixels (a Gram matrix).

Shape legend: B pairs of frames, C channels, H rows, W columns, P = H*W pixels, U x V window,
D = U*V.

Of the ``P * P`` products only the ``D * P`` within the window are kept. A matrix product makes
the others so cheaply that this is the quicker way where the window covers much of the map.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from mmaction_ext.ops.chunks import chunks
from mmaction_ext.ops.window import window_displacements

# Values of the Gram matrices of one step on the CPU: 1 MiB in float32.
_CHUNK_ELEMENTS = 1 << 18


def multiply_frames(queries: Tensor, keys: Tensor, window: Sequence[int], dilation: int) -> Tensor:
    """See :func:`mmaction_ext.ops.correlation.multiply.multiply_frames`."""
    slots, outside = _slots(queries, window, dilation)
    slots = slots.masked_fill(outside, 0).flatten()
    out = queries.new_empty(len(queries), *outside.shape)
    for pairs in _chunks(queries):
        gram = _multiply(queries[pairs].flatten(2).mT, keys[pairs].flatten(2))
        out[pairs] = gram.flatten(1).index_select(1, slots).view_as(out[pairs])
    return out.masked_fill_(outside, 0)


def multiply_frames_backward(
    grad: Tensor, queries: Tensor, keys: Tensor, window: Sequence[int], dilation: int
) -> tuple[Tensor, Tensor]:
    """See :func:`mmaction_ext.ops.correlation.multiply.multiply_frames_backward`."""
    slots, outside = _slots(queries, window, dilation)
    num_pixels = slots[0].numel()
    slots = slots.masked_fill(outside, num_pixels**2).flatten()  # one more, dropped below
    of_queries, of_keys = (x.new_empty(x.shape) for x in (queries, keys))
    for pairs in _chunks(queries):
        gram = grad.new_zeros(len(grad[pairs]), num_pixels**2 + 1)
        gram.index_copy_(1, slots, grad[pairs].flatten(1))
        gram = gram[:, :-1].unflatten(1, (num_pixels, num_pixels))
        of_queries[pairs] = _multiply(keys[pairs].flatten(2), gram.mT).view_as(of_queries[pairs])
        of_keys[pairs] = _multiply(queries[pairs].flatten(2), gram).view_as(of_keys[pairs])
    return of_queries, of_keys


def _slots(x: Tensor, window: Sequence[int], dilation: int) -> tuple[Tensor, Tensor]:
    """Where the window lies in a flat Gram matrix, and whether outside the map, (D, H, W) each."""
    height, width = x.shape[-2:]
    shift = torch.tensor(window_displacements(window, dilation), device=x.device)
    rows, columns = torch.arange(height, device=x.device), torch.arange(width, device=x.device)
    i = (rows + shift[:, :1]).unsqueeze(2)
    j = (columns + shift[:, 1:]).unsqueeze(1)
    outside = (i < 0) | (i >= height) | (j < 0) | (j >= width)
    pixels = torch.arange(height * width, device=x.device).view(height, width)
    return pixels * (height * width) + i * width + j, outside


def _chunks(x: Tensor) -> Iterator[slice]:
    """Slices of pairs whose Gram matrices stay in cache."""
    return chunks(x, (x.shape[2] * x.shape[3]) ** 2, _CHUNK_ELEMENTS)


def _multiply(a: Tensor, b: Tensor) -> Tensor:
    """Matrix products in the dtype given, also under autocast."""
    with torch.autocast(a.device.type, enabled=False):
        return torch.bmm(a, b)
