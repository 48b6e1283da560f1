"""Correlation by the compiled kernel of ``native.c``, in float32 on the CPU.

Shape legend: N clips, C channels, T frames, H rows, W columns, U x V window, D = U*V
displacements, O offsets.
"""

from __future__ import annotations

import ctypes
import functools
import itertools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from mmaction_ext.ops import compiled
from mmaction_ext.ops.correlation.frame_pairs import frame_partners

_SOURCE = Path(__file__).with_suffix('.c')
#: Pixels that a window may reach beyond the columns of a map: every packed row has as many.
_FURTHEST = 32
#: Larger volumes are written past the cache, which they would not stay in.
_CACHE_BYTES = 16 << 20


class Slab(NamedTuple):
    """The volume (D, H, W) of one offset at one frame.

    Attributes:
        offset: index of the offset.
        frame: frame that the window is centred in.
        mirrored: whether each product stands at the other pixel, under the opposite displacement.
    """

    offset: int
    frame: int
    mirrored: bool


class FramePair(NamedTuple):
    """Two frames whose products are needed, and where.

    Attributes:
        queries, keys: the frames.
        dilation: pixels between neighbouring displacements.
        slabs: where the products go.
    """

    queries: int
    keys: int
    dilation: int
    slabs: tuple[Slab, ...]


class _Features(ctypes.Structure):
    _fields_ = [
        ('bases', ctypes.c_void_p),
        *[
            (name, ctypes.c_int64)
            for name in (
                'frames',
                'clip',
                'channel',
                'row',
                'column',
                'channels',
                'height',
                'width',
                'window_rows',
                'window_columns',
                'pad',
            )
        ],
        ('scale', ctypes.c_float),
    ]


@functools.cache
def _kernel() -> tuple[ctypes.CDLL, int]:
    """The compiled kernel, which must not lack, and the number of the best instruction set."""
    library = compiled.load(_SOURCE)
    assert library is not None
    number, address = ctypes.c_int64, ctypes.c_void_p
    library.best_instructions.restype = number
    library.correlate.argtypes = [
        number, address, address, number, address, address, number, number, number, number,
    ]  # fmt: skip
    library.correlate_backward.argtypes = [
        number, address, address, address, address, address, number, address, number, number,
        number,
    ]  # fmt: skip
    return library, library.best_instructions()


def lack(x: Tensor, window: Sequence[int], dilations: Sequence[int]) -> str | None:
    """What keeps the kernel from taking features (..., H, W); None where nothing does."""
    if x.device.type != 'cpu' or x.dtype == torch.float64:
        return f'it takes 32 bits or less on the CPU, not {x.dtype} on {x.device.type}'
    reach = max(dilations) * (window[1] // 2)
    if reach > _FURTHEST:
        return f'its window may reach {_FURTHEST} pixels beyond the columns, not {reach}'
    return 'it could not be compiled' if compiled.load(_SOURCE) is None else None


@functools.lru_cache(64)
def clip_pairs(
    num_frames: int, offsets: Sequence[int], dilations: Sequence[int], clip_border: str
) -> tuple[FramePair, ...]:
    """The pairs of frames of a local correlation, each once; see :func:`frame_partners`."""
    found: dict[tuple[int, int, int], list[Slab]] = {}
    for index, (tau, dilation) in enumerate(zip(offsets, dilations, strict=True)):
        for frame, pair in frame_partners(num_frames, tau, clip_border).items():
            found.setdefault((*pair, dilation), []).append(Slab(index, frame, tau < 0))
    return tuple(FramePair(*key, tuple(slabs)) for key, slabs in sorted(found.items()))


def _whole(values: Iterable[int]) -> ctypes.Array[ctypes.c_int64]:
    values = list(values)
    return (ctypes.c_int64 * max(1, len(values)))(*values)


def _flat(rows: Iterable[Iterable[int]]) -> ctypes.Array[ctypes.c_int64]:
    return _whole(value for row in rows for value in row)


@functools.lru_cache(64)
def _plan(
    pairs: tuple[FramePair, ...],
    num_frames: int,
    volume_frames: int,
    num_displacements: int,
    pixels: int,
) -> tuple[ctypes.Array[ctypes.c_int64], ...]:
    """Tables of pairs and their slabs, of sources, the first of each frame, and their slabs."""

    def numbers(slab: Slab) -> tuple[int, int, int]:
        place = (slab.offset * num_displacements * volume_frames + slab.frame) * pixels
        return place, volume_frames * pixels, int(slab.mirrored)

    def opposite(slabs: Sequence[Slab]) -> list[Slab]:
        return [slab._replace(mirrored=not slab.mirrored) for slab in slabs]

    table: list[tuple[int, ...]] = []
    slabs: list[Slab] = []
    sources: list[list[tuple[int, int, list[Slab]]]] = [[] for _ in range(num_frames)]
    for pair in pairs:
        is_one = pair.queries == pair.keys
        own = [*pair.slabs, *(opposite(pair.slabs) if is_one else ())]
        table.append(
            (pair.queries, pair.keys, pair.dilation, len(slabs), len(slabs) + len(own), is_one)
        )
        slabs += own
        sources[pair.queries].append((pair.keys, pair.dilation, own))
        if not is_one:
            sources[pair.keys].append((pair.queries, pair.dilation, opposite(pair.slabs)))
    rows: list[tuple[int, ...]] = []
    backward: list[Slab] = []
    first = [0]
    for frame, found in enumerate(sources):
        for other, dilation, own in found:
            rows.append((frame, other, dilation, len(backward), len(backward) + len(own)))
            backward += own
        first.append(len(rows))
    return (
        _flat(table),
        _flat(map(numbers, slabs)),
        _flat(rows),
        _whole(first),
        _flat(map(numbers, backward)),
    )


def _features(
    frames: Sequence[Tensor], window: Sequence[int], reach: int, scale: float
) -> tuple[_Features, ctypes.Array[ctypes.c_void_p]]:
    """Frames (N, C, H, W) of equal strides for the kernel, and what must live as long."""
    x, bases = frames[0], _addresses(frames)
    clip, channel, row, column = x.stride()
    return _Features(
        ctypes.addressof(bases),
        len(frames),
        clip,
        channel,
        row,
        column,
        *x.shape[1:],
        *window,
        reach,
        scale,
    ), bases


def _addresses(tensors: Sequence[Tensor]) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * len(tensors))(*[each.data_ptr() for each in tensors])


def _alike(frames: Sequence[Tensor]) -> Sequence[Tensor]:
    """Frames with the same strides."""
    if len({frame.stride() for frame in frames}) > 1:
        return [frame.contiguous() for frame in frames]
    return frames


def forward(
    frames: Sequence[Tensor],
    pairs: tuple[FramePair, ...],
    num_offsets: int,
    volume_frames: int,
    window: Sequence[int],
    scale: float,
) -> Tensor:
    """The volumes of frames.

    Args:
        frames: T tensors (N, C, H, W), float32.
        pairs: what to multiply; no two of them share a slab.
        num_offsets: O.
        volume_frames: frames of a volume.
        window: ``(U, V)``.
        scale: factor of every product.

    Returns:
        Tensor (N, O*D, volume_frames, H, W).
    """
    library, instructions = _kernel()
    frames = _alike(frames)
    n, _, height, width = frames[0].shape
    num_displacements = window[0] * window[1]
    x, _bases = _features(frames, window, _reach(pairs, window), scale)
    shape = n, num_offsets * num_displacements, volume_frames, height, width
    out = frames[0].new_empty(shape)
    volumes = out.unflatten(1, (num_offsets, num_displacements))
    written = {slab[:2] for pair in pairs for slab in pair.slabs}
    for offset, frame in itertools.product(range(num_offsets), range(volume_frames)):
        if (offset, frame) not in written:
            volumes[:, offset, :, frame].zero_()
    table, slabs, *_ = _plan(pairs, len(frames), volume_frames, num_displacements, height * width)

    def work(begin: int, end: int) -> int:
        return library.correlate(
            instructions,
            ctypes.byref(x),
            table,
            len(pairs),
            slabs,
            out.data_ptr(),
            out.stride(0),
            out.nbytes > _CACHE_BYTES,
            begin,
            end,
        )

    compiled.run(work, n * len(pairs))
    return out


def backward(
    grad: Tensor,
    frames: Sequence[Tensor],
    pairs: tuple[FramePair, ...],
    window: Sequence[int],
    scale: float,
    out: Sequence[Tensor],
) -> None:
    """Gradient of :func:`forward`.

    Args:
        grad: of the volumes, (N, O*D, volume_frames, H, W).
        frames, pairs, window, scale: as there.
        out: where it is written: for each frame (N, C, H, W), of equal strides, the last three
            dimensions contiguous.
    """
    library, instructions = _kernel()
    grad, frames = grad.contiguous(), _alike(frames)
    height, width = grad.shape[-2:]
    x, _bases = _features(frames, window, _reach(pairs, window), scale)
    places = _addresses(out)
    _, _, *tables = _plan(pairs, len(frames), grad.shape[2], window[0] * window[1], height * width)

    def work(begin: int, end: int) -> int:
        return library.correlate_backward(
            instructions,
            ctypes.byref(x),
            *tables,
            grad.data_ptr(),
            grad.stride(0),
            places,
            out[0].stride(0),
            begin,
            end,
        )

    compiled.run(work, len(grad) * len(frames))


def _reach(pairs: Iterable[FramePair], window: Sequence[int]) -> int:
    return max((pair.dilation for pair in pairs), default=1) * (window[1] // 2)
