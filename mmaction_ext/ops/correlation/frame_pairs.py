"""Which pairs of frames a correlation needs, and how its volume is put together from them.

Shape legend: N clips, C channels, T frames, H rows, W columns, U x V window, D = U*V
displacements, O offsets, P pairs of frames.

A product of two pixels belongs to ``tau`` seen from the earlier one and to ``-tau`` seen from
the later one:

    corr(t + tau, -tau, -d)[p + d] == corr(t, tau, d)[p]

So each pair of frames is computed once, and both values, or in the backward pass both gradients,
share it. Pairs with a frame of zeros outside the clip are not computed.
"""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from mmaction_ext.ops.chunks import chunks
from mmaction_ext.ops.correlation.multiply import multiply_frames, multiply_frames_backward
from mmaction_ext.ops.correlation.reference import source_frame
from mmaction_ext.ops.window import window_displacements

# Values of the features of one step on the CPU: 4 MiB in float32.
_CHUNK_ELEMENTS = 1 << 20


@dataclass(frozen=True)
class _Run:
    """Consecutive frames of one offset's volume that are consecutive pairs of the group."""

    index: int
    mirrored: bool
    frames: slice
    pairs: slice


@dataclass(frozen=True)
class _Group:
    """The offsets ``tau`` and ``-tau`` of one dilation, and the pairs of frames they share."""

    dilation: int
    queries: list[int]
    keys: list[int]
    runs: list[_Run]


def _groups(
    num_frames: int, offsets: Sequence[int], dilations: Sequence[int], clip_border: str
) -> list[_Group]:
    """Groups of offsets, without those that meet no frame."""
    members: dict[tuple[int, int], list[int]] = {}
    for index, (tau, dilation) in enumerate(zip(offsets, dilations, strict=True)):
        members.setdefault((abs(tau), dilation), []).append(index)
    groups = []
    for (_, dilation), indices in members.items():
        wanted = {
            index: frame_partners(num_frames, offsets[index], clip_border) for index in indices
        }
        pairs = sorted({pair for by_frame in wanted.values() for pair in by_frame.values()})
        runs = [
            run
            for index, by_frame in wanted.items()
            for run in _runs(index, offsets[index] < 0, by_frame, pairs)
        ]
        if pairs:
            groups.append(_Group(dilation, [a for a, _ in pairs], [b for _, b in pairs], runs))
    return groups


def _steps(
    x: Tensor, offsets: Sequence[int], dilations: Sequence[int], clip_border: str
) -> Iterator[tuple[slice, _Group]]:
    """Slices of clips, of whose frames copies are made, and for each the groups of offsets."""
    groups = _groups(x.shape[2], offsets, dilations, clip_border)
    return itertools.product(chunks(x, x[:1].numel(), _CHUNK_ELEMENTS), groups)


def frame_partners(num_frames: int, tau: int, clip_border: str) -> dict[int, tuple[int, int]]:
    """For each frame that has a partner at ``tau``: both, the one that looks forward first."""
    pairs = {}
    for frame in range(num_frames):
        partner = source_frame(frame + tau, num_frames, clip_border)
        if partner is not None:
            pairs[frame] = (partner, frame) if tau < 0 else (frame, partner)
    return pairs


def _runs(
    index: int, mirrored: bool, by_frame: dict[int, tuple[int, int]], pairs: list[tuple[int, int]]
) -> Iterator[_Run]:
    position = {pair: i for i, pair in enumerate(pairs)}
    steps = [(frame, position[pair]) for frame, pair in by_frame.items()]
    first = 0
    for i, (frame, pair) in enumerate(steps):
        if i + 1 == len(steps) or steps[i + 1] != (frame + 1, pair + 1):
            yield _Run(
                index,
                mirrored,
                slice(steps[first][0], frame + 1),
                slice(steps[first][1], pair + 1),
            )
            first = i + 1


def _blocks(
    outer: Tensor, volume: Tensor, run: _Run, window: Sequence[int], dilation: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Views of one offset's volume (N, D, T, H, W) and of the pairs' (N, D, P, H, W) that match.

    A mirrored value stands at the other pixel and under the opposite displacement.
    """
    if not run.mirrored:
        yield outer[:, :, run.frames], volume[:, :, run.pairs]
        return
    height, width = volume.shape[-2:]
    for k, (dy, dx) in enumerate(window_displacements(window, dilation)):
        if abs(dy) < height and abs(dx) < width:
            y, x = max(0, -dy), max(0, -dx)
            rows, columns = height - abs(dy), width - abs(dx)
            there = outer[:, -1 - k, run.frames, y + dy : y + dy + rows, x + dx : x + dx + columns]
            yield there, volume[:, k, run.pairs, y : y + rows, x : x + columns]


def correlation_forward(
    x: Tensor,
    offsets: Sequence[int],
    window: Sequence[int],
    dilations: Sequence[int],
    clip_border: str,
    scale: float,
    implementation: str,
) -> Tensor:
    """Local correlation; see :func:`mmaction_ext.ops.local_correlation` for the arguments.

    Args:
        x: Features of shape (N, C, T, H, W), float32 or float64.

    Returns:
        Tensor of shape (N, O*U*V, T, H, W).
    """
    n, _, num_frames, height, width = x.shape
    out = x.new_zeros(n, len(offsets), window[0] * window[1], num_frames, height, width)
    for clips, group in _steps(x, offsets, dilations, clip_border):
        frames, outer = x[clips].transpose(1, 2), out[clips]
        queries = frames[:, group.queries].flatten(0, 1) * scale
        keys = frames[:, group.keys].flatten(0, 1)
        volume = multiply_frames(queries, keys, window, group.dilation, implementation)
        volume = volume.unflatten(0, (len(frames), len(group.queries))).transpose(1, 2)
        for run in group.runs:
            for there, here in _blocks(outer[:, run.index], volume, run, window, group.dilation):
                there.copy_(here)
    return out.flatten(1, 2)


def correlation_backward(
    grad: Tensor,
    x: Tensor,
    offsets: Sequence[int],
    window: Sequence[int],
    dilations: Sequence[int],
    clip_border: str,
    scale: float,
    implementation: str,
) -> Tensor:
    """Gradient of :func:`correlation_forward` with respect to ``x``.

    Args:
        grad: Gradient of the volume, (N, O*U*V, T, H, W).
        x: The features given to the forward pass, (N, C, T, H, W).

    Returns:
        Tensor of the shape of ``x``, with the frames outermost but for N in memory.
    """
    height, width = x.shape[3:]
    grad = grad.unflatten(1, (len(offsets), window[0] * window[1]))
    out = torch.zeros_like(x.transpose(1, 2), memory_format=torch.contiguous_format)
    for clips, group in _steps(x, offsets, dilations, clip_border):
        frames, outer = x[clips].transpose(1, 2), grad[clips]
        volume = grad.new_zeros(len(frames), len(group.queries), grad.shape[2], height, width)
        for run in group.runs:
            for there, here in _blocks(
                outer[:, run.index], volume.transpose(1, 2), run, window, group.dilation
            ):
                here.add_(there)
        queries, keys = (frames[:, i].flatten(0, 1) for i in (group.queries, group.keys))
        pair_grads = multiply_frames_backward(
            volume.flatten(0, 1), queries, keys, window, group.dilation, implementation
        )
        for indices, pair_grad in zip((group.queries, group.keys), pair_grads, strict=True):
            out[clips].index_add_(
                1,
                torch.tensor(indices, device=x.device),
                pair_grad.unflatten(0, (len(frames), len(indices))),
                alpha=scale,
            )
    return out.transpose(1, 2)
