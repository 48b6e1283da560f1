"""Correlation by the kernels of ``triton_kernels.py``, on NVIDIA GPUs.

Shape legend: N clips, C channels, T frames, H rows, W columns, U x V window, D = U*V
displacements, O offsets. Two maps are clips of one frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from mmaction_ext.ops.launch import Launch, start

_MODULE = 'mmaction_ext.ops.correlation.triton_kernels'
#: From as many channels of half precision on, tiles of pixels go through the matrix units.
_TILES_FROM = 64
#: Pixels of a block, one for each thread, and rows and columns of a tile.
_PIXELS, _HIGH, _WIDTH = 128, 4, 8
_INT32 = 2**31


class Correlation(NamedTuple):
    """What is correlated, but for the features.

    Attributes:
        offsets, dilations, window, clip_border: as :func:`local_correlation` takes them.
        is_pair: whether the windows lie in other features.
    """

    offsets: tuple[int, ...]
    dilations: tuple[int, ...]
    window: tuple[int, int]
    clip_border: str = 'zeros'
    is_pair: bool = False

    @classmethod
    def of_pair(cls, window: Sequence[int], dilation: int) -> Correlation:
        """That of two clips of one frame."""
        return cls((0,), (dilation,), (window[0], window[1]), is_pair=True)

    def jobs(self) -> tuple[tuple[int, int, int, int], ...]:
        """Index, offset and dilation of what is multiplied, and the index of its mirror or -1.

        Outside a clip that replicates its borders, a frame has partners that do not look back.
        """
        steps = list(zip(self.offsets, self.dilations, strict=True))
        free, found = list(range(len(steps))), []
        while free:
            index = free.pop(0)
            tau, dilation = steps[index]
            mirror = -1
            if tau and self.clip_border != 'replicate':
                mirror = next((m for m in free if steps[m] == (-tau, dilation)), -1)
            if mirror >= 0:
                free.remove(mirror)
            found.append((index, tau, dilation, mirror))
        return tuple(found)

    def sources(self) -> tuple[tuple[Any, ...], ...]:
        """For each map that gets a gradient: offset and dilation of other maps, own and mirrored.

        See ``SOURCES`` of ``triton_kernels.py``.
        """
        own: dict[tuple[int, int], list[int]] = {}
        mirrored: dict[tuple[int, int], list[int]] = {}
        for index, (tau, dilation) in enumerate(zip(self.offsets, self.dilations, strict=True)):
            own.setdefault((tau, dilation), []).append(index)
            mirrored.setdefault((-tau, dilation), []).append(index)
        looking = [(*step, tuple(found), ()) for step, found in own.items()]
        looked_at = [(*step, (), tuple(found)) for step, found in mirrored.items()]
        if self.is_pair:
            return tuple(looking), tuple(looked_at)
        if self.clip_border == 'replicate':
            return ((*looking, *looked_at),)
        both = {**own, **mirrored}
        return (
            tuple(
                (*step, tuple(own.get(step, ())), tuple(mirrored.get(step, ()))) for step in both
            ),
        )


def forward_launch(
    what: Correlation, shape: Sequence[int], dtype: torch.dtype, row: int, plane: int
) -> Launch:
    """The kernel that makes a volume.

    Args:
        what: offsets and windows.
        shape: of the features, (N, C, T, H, W).
        dtype: of the features.
        row, plane: elements from one row of their maps to the next, and between channels.
    """
    n, channels, frames, height, width = shape
    constants = dict(_constants(what, shape, row, plane), JOBS=what.jobs())
    if _by_tiles(what, channels, dtype):
        constants.update(_tile(what, 32), CHANNELS=16)
        name, parts, warps, registers = 'tiles', _tiles(height, width), 4, 112
    else:
        constants.update(ROWS=max(1, min(what.window[0], 18 // what.window[1])), PIXELS=_PIXELS)
        name, parts, warps, registers = 'pixels', _blocks(height, width), 4, None
    groups = -(-what.window[0] // constants['ROWS'])
    programs = n * frames * len(constants['JOBS']) * groups * parts
    return Launch(_MODULE, f'forward_by_{name}', programs, constants, warps, registers=registers)


def backward_launch(
    what: Correlation, shape: Sequence[int], dtype: torch.dtype, row: int, plane: int
) -> Launch:
    """The kernel that makes the gradient of features; arguments as of :func:`forward_launch`."""
    n, channels, frames, height, width = shape
    constants = dict(_constants(what, shape, row, plane), SOURCES=what.sources())
    if _by_tiles(what, channels, dtype):
        # the more sources, the more indices stay in registers
        few = len(constants['SOURCES'][0]) <= 2
        constants.update(_tile(what, 64 if few else 32), CHANNELS=64)
        name, parts, warps, registers = 'tiles', _tiles(height, width), 8, 128
    else:
        # the assembler spills eight channels of few beside the indices of four sources
        most = 6 if channels < _TILES_FROM and len(constants['SOURCES'][0]) > 2 else 8
        whole = [count for count in range(4, most + 1) if channels % count == 0]
        constants.update(CHANNELS=max(whole, default=min(8, channels)), PIXELS=_PIXELS)
        name, parts, warps, registers = 'pixels', _blocks(height, width), 4, None
    programs = n * frames * len(constants['SOURCES']) * parts
    programs *= -(-channels // constants['CHANNELS'])
    return Launch(_MODULE, f'backward_by_{name}', programs, constants, warps, registers=registers)


def _constants(what: Correlation, shape: Sequence[int], row: int, plane: int) -> dict[str, Any]:
    """What all kernels are compiled for."""
    _, channels, frames, height, width = shape
    return dict(
        C=channels,
        H=height,
        W=width,
        U=what.window[0],
        V=what.window[1],
        ROW=row,
        PLANE=plane,
        OFFSETS=len(what.offsets),
        BORDER=what.clip_border,
        WIDE=max(what.window[0] * what.window[1] * frames * height * width, 64 * plane) >= _INT32,
    )


def _by_tiles(what: Correlation, channels: int, dtype: torch.dtype) -> bool:
    """Whether the matrix units serve: float32 takes three of their products and its registers."""
    return dtype.itemsize == 2 and channels >= _TILES_FROM and _reach(what) <= 32


def _tile(what: Correlation, products: int) -> dict[str, int]:
    """Constants of tiles; a row of ``products`` of each pixel is made at a time."""
    rows = min(what.window[0], max(1, 32 // what.window[1]))
    reach = _reach(what)
    return dict(
        ROWS=rows,
        HIGH=_HIGH,
        WIDTH=_WIDTH,
        STRIP=products // reach,
        REACH=reach,
        SLOTS=_power(rows * what.window[1]),
    )


def _reach(what: Correlation) -> int:
    """Columns that the windows of a tile lie in, as a power of two that matrix units take."""
    return max(16, _power(_WIDTH + (what.window[1] - 1) * max(what.dilations)))


def _tiles(height: int, width: int) -> int:
    return -(-height // _HIGH) * -(-width // _WIDTH)


def _blocks(height: int, width: int) -> int:
    return -(-height * width // _PIXELS)


def _power(number: int) -> int:
    """The least power of two that is no less."""
    return 1 << (number - 1).bit_length()


def _rows_first(x: Tensor) -> Tensor:
    """Features whose rows are runs of memory, and whose maps 32 bits can count."""
    far = x.shape[-2] * x.stride(-2) >= _INT32
    return x.contiguous() if x.stride(-1) != 1 or far else x


def _alike(queries: Tensor, keys: Tensor) -> tuple[Tensor, Tensor]:
    queries, keys = _rows_first(queries), _rows_first(keys)
    if queries.stride() != keys.stride():
        return queries.contiguous(), keys.contiguous()
    return queries, keys


def forward(queries: Tensor, keys: Tensor, what: Correlation, scale: float) -> Tensor:
    """The volume of clips.

    Args:
        queries: the features that windows are centred in, (N, C, T, H, W).
        keys: those that they lie in; the same but for a pair.
        what: offsets and windows.
        scale: factor of every product.

    Returns:
        Tensor (N, O*D, T, H, W) of the dtype of the features.
    """
    queries, keys = _alike(queries, keys)
    n, _, frames, height, width = queries.shape
    num_displacements = what.window[0] * what.window[1] * len(what.offsets)
    out = queries.new_empty(n, num_displacements, frames, height, width)
    launch = forward_launch(
        what, queries.shape, queries.dtype, queries.stride(-2), queries.stride(1)
    )
    start(launch, queries, keys, out, queries.stride(0), queries.stride(2), frames, scale)
    return out


def backward(
    grad: Tensor, queries: Tensor, keys: Tensor, what: Correlation, scale: float
) -> tuple[Tensor, Tensor]:
    """Gradients of :func:`forward`.

    Args:
        grad: of the volume, (N, O*D, T, H, W).
        queries, keys, what, scale: as there.

    Returns:
        The gradients of queries and of keys, or twice that of features that are both; T is
        outermost but for N in memory.
    """
    queries, keys = _alike(queries, keys)
    n, channels, frames, height, width = shape = queries.shape
    of_queries = queries.new_empty(n, frames, channels, height, width)
    of_keys = torch.empty_like(of_queries) if what.is_pair else of_queries
    launch = backward_launch(what, shape, queries.dtype, queries.stride(-2), queries.stride(1))
    start(
        launch,
        grad.contiguous(),
        queries,
        keys,
        of_queries,
        of_keys,
        queries.stride(0),
        queries.stride(2),
        frames,
        scale,
    )
    return of_queries.transpose(1, 2), of_keys.transpose(1, 2)
