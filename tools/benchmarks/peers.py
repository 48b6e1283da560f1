"""What our operators are compared with: each in a few lines of plain PyTorch, for autograd.

Shape legend: N clips, C channels, T frames, H rows, W columns, K the side of a window, D = K*K
displacements, O offsets, G sets of regions.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from sizes import CorrelationSize
from torch import Tensor

#: The volume of a query's pixels within the window of a key: (B, C, H, W) twice -> (B, D, H, W).
PairForm = Callable[[Tensor, Tensor, int, int], Tensor]


def displacements(window: int, dilation: int) -> list[tuple[int, int]]:
    """Rows and columns that each channel of a volume looks away, by rows."""
    steps = [dilation * (i - window // 2) for i in range(window)]
    return [(dy, dx) for dy in steps for dx in steps]


def _at(padded: Tensor, reach: int, step: tuple[int, int]) -> Tensor:
    """``y[..., i, j] = x[..., i + dy, j + dx]`` of an ``x`` with ``reach`` zeros around it."""
    height, width = (side - 2 * reach for side in padded.shape[-2:])
    row, column = reach + step[0], reach + step[1]
    return padded[..., row : row + height, column : column + width]


def _padded(x: Tensor, reach: int) -> Tensor:
    return F.pad(x, (reach,) * 4)


def pair_shift_loop(queries: Tensor, keys: Tensor, window: int, dilation: int) -> Tensor:
    """A product with a shifted copy and a sum for each displacement."""
    reach = window // 2 * dilation
    padded = _padded(keys, reach)
    steps = displacements(window, dilation)
    return torch.stack([(queries * _at(padded, reach, step)).sum(1) for step in steps], 1)


def pair_unfold(queries: Tensor, keys: Tensor, window: int, dilation: int) -> Tensor:
    """``F.unfold`` of the keys, a product and a sum."""
    columns = F.unfold(keys, window, dilation=dilation, padding=window // 2 * dilation)
    columns = columns.view(*keys.shape[:2], window**2, *keys.shape[2:])
    return (queries.unsqueeze(2) * columns).sum(1)


def pair_windows(queries: Tensor, keys: Tensor, window: int, dilation: int) -> Tensor:
    """Windows of the keys as a view, and one small matrix product for each pixel."""
    padded = _padded(keys, window // 2 * dilation)
    extent = dilation * (window - 1) + 1
    views = padded.unfold(2, extent, 1).unfold(3, extent, 1)[..., ::dilation, ::dilation]
    views = views.permute(0, 2, 3, 1, 4, 5).flatten(4)  # (B, H, W, C, D)
    volume = queries.permute(0, 2, 3, 1).unsqueeze(3) @ views
    return volume.squeeze(3).permute(0, 3, 1, 2)


def local_of(form: PairForm, size: CorrelationSize) -> Callable[[Tensor], Tensor]:
    """A local correlation of a form for pairs: frame by frame, zeros outside the clip."""

    def correlate(x: Tensor) -> Tensor:
        frames = x.transpose(1, 2)
        queries = (frames * x.shape[1] ** -0.5).flatten(0, 1)
        volumes = []
        for tau, dilation in zip(size.offsets, size.dilations, strict=True):
            keys = _moved(frames, tau).flatten(0, 1)
            volume = form(queries, keys, size.window, dilation)
            volumes.append(volume.unflatten(0, frames.shape[:2]).transpose(1, 2))
        return torch.cat(volumes, 1)

    return correlate


def _moved(frames: Tensor, tau: int) -> Tensor:
    """``y[:, t] = x[:, t + tau]``, zero outside the clip."""
    empty = frames.new_zeros(len(frames), min(abs(tau), frames.shape[1]), *frames.shape[2:])
    if tau < 0:
        return torch.cat((empty, frames[:, :tau]), 1)
    return torch.cat((frames[:, tau:], empty), 1)


def _shifted(padded: Tensor, like: Tensor, rows: int, columns: int, step: int) -> list[Tensor]:
    """Views of the size of ``like`` at displacements from the upper left corner on, by rows."""
    height, width = like.shape[-2:]
    return [
        padded[..., i * step : i * step + height, j * step : j * step + width]
        for i in range(rows)
        for j in range(columns)
    ]


def _products(queries: Tensor, padded: Tensor, rows: int, columns: int, step: int) -> Tensor:
    """(N, C, P, H, W) and keys with zeros around them -> (N, D, P, H, W)."""
    keys = _shifted(padded, queries, rows, columns, step)
    return torch.stack([(queries * each).sum(1) for each in keys], 1)


def _gathered(weights: Tensor, padded: Tensor, rows: int, columns: int, step: int) -> Tensor:
    """Gradient of the queries of :func:`_products`, without a scatter."""
    keys = _shifted(padded, weights, rows, columns, step)
    terms = [weights[:, k, None] * each for k, each in enumerate(keys)]
    return sum(terms[1:], terms[0])


def symmetric(
    size: CorrelationSize, wrap: Callable[[Callable[..., Tensor]], Callable[..., Tensor]]
) -> Callable[[Tensor], Tensor]:
    """A local correlation that takes each pair of frames once and gathers its gradient.

    Args:
        size: which.
        wrap: applied to the loops over displacements, ``torch.compile`` say. Padding stays
            outside, which compiled would become a question asked at each value, and so do the
            rows of a large window, with which compilation would take minutes.
    """
    products, gathered = wrap(_products), wrap(_gathered)
    window, rows = size.window, size.window if size.window <= 5 else 1
    places = {place: i for i, place in enumerate(zip(size.offsets, size.dilations, strict=True))}
    ahead = [(tau, s) for tau, s in places if tau >= 0]

    def blocks(x: Tensor, s: int) -> Iterator[tuple[slice, Tensor]]:
        """Displacements of some rows of the window, and the part of a map they look at."""
        padded, height = _padded(x, window // 2 * s), x.shape[-2] + (rows - 1) * s
        for row in range(0, window, rows):
            part = padded[..., row * s : row * s + height, :]
            yield slice(row * window, (row + rows) * window), part

    def correlate(queries: Tensor, keys: Tensor, s: int) -> Tensor:
        found = [products(queries, part, rows, window, s) for _, part in blocks(keys, s)]
        return torch.cat(found, 1)

    def gather(weights: Tensor, keys: Tensor, s: int) -> Tensor:
        terms = (gathered(weights[:, k], part, rows, window, s) for k, part in blocks(keys, s))
        return functools.reduce(torch.add, terms)

    def turn(volume: Tensor, s: int) -> Tensor:
        """The volume seen from the other frame: other pixel, opposite displacement."""
        views = _shifted(_padded(volume, window // 2 * s), volume, window, window, s)
        return torch.stack([view[:, -1 - k] for k, view in enumerate(views)], 1)

    class Symmetric(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            n, channels, num_frames, *sides = x.shape
            volume = x.new_zeros(n, len(places), window**2, num_frames, *sides)
            for tau, s in ahead:
                early, late = slice(0, num_frames - tau), slice(tau, num_frames)
                pairs = correlate(x[:, :, early] * channels**-0.5, x[:, :, late], s)
                volume[:, places[tau, s], :, early] = pairs
                if tau:
                    volume[:, places[-tau, s], :, late] = turn(pairs, s)
            return volume.flatten(1, 2)

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Tensor:
            (x,) = ctx.saved_tensors
            grad = grad.unflatten(1, (len(places), window**2))
            num_frames, total = x.shape[2], torch.zeros_like(x)
            for tau, s in ahead:
                early, late = slice(0, num_frames - tau), slice(tau, num_frames)
                weights = grad[:, places[tau, s], :, early]
                weights = weights + turn(grad[:, places[-tau, s], :, late], s)
                weights *= x.shape[1] ** -0.5
                total[:, :, early] += gather(weights, x[:, :, late], s)
                if tau:
                    total[:, :, late] += gather(turn(weights, s), x[:, :, early], s)
            return total

    return Symmetric.apply


def region_maxima(x: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """Largest values of regions and their indices, (N, G, K, C, T), each under a mask of its own.

    Args:
        x: (N, C, T, H, W).
        rows, columns: whole borders, (N, G, T, s+1); where all clips and frames share them, a
            view of one, of which masks are made once.
    """
    found = [
        x.masked_fill(share == 0, float('-inf')).flatten(3).max(3)
        for share in _shares(x, rows, columns)
    ]
    shape = rows.shape[1], (rows.shape[3] - 1) ** 2
    values, indices = (
        torch.stack(each, 1).unflatten(1, shape) for each in zip(*found, strict=True)
    )
    return values, indices


def region_means(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Means of regions, (N, G, K, C, T); borders as in :func:`region_maxima`, whole or not."""
    shares = _shares(x, rows, columns)
    means = [(x * share).sum((3, 4)) / share.sum((3, 4)) for share in shares]
    return torch.stack(means, 1).unflatten(1, (rows.shape[1], (rows.shape[3] - 1) ** 2))


def _shares(x: Tensor, rows: Tensor, columns: Tensor) -> Iterator[Tensor]:
    """Parts of pixels that lie in each region of each set, (N or 1, 1, T or 1, H, W)."""
    if rows.stride(0) == rows.stride(2) == columns.stride(0) == columns.stride(2) == 0:
        rows, columns = rows[:1, :, :1], columns[:1, :, :1]
    in_rows, in_columns = (
        ((pixels + 1).minimum(lines[..., 1:, None]) - pixels.maximum(lines[..., :-1, None])).clamp(
            min=0
        )
        for lines, side in ((rows, x.shape[3]), (columns, x.shape[4]))
        for pixels in (torch.arange(side, device=x.device, dtype=lines.dtype),)
    )
    for g in range(rows.shape[1]):
        for a in range(rows.shape[3] - 1):
            for b in range(rows.shape[3] - 1):
                share = in_rows[:, g, :, a, :, None] * in_columns[:, g, :, b, None, :]
                yield share[:, None].to(x.dtype)
