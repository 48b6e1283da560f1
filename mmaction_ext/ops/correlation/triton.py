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
#: From as many channels on, tiles of pixels go through the matrix units.
_TILES_FROM = 64
#: Columns that a tile's window may reach over at most, as a power of two.
_REACH = 32
#: Tiles are squares of as many pixels, a side.
_SIDE = 8
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
    what: Correlation, shape: Sequence[int], dtype: torch.dtype, row: int
) -> Launch:
    """The kernel that makes a volume.

    Args:
        what: offsets and windows.
        shape: of the features, (N, C, T, H, W).
        dtype: of the features.
        row: elements from one row of their maps to the next.
    """
    n, _, frames, height, width = shape
    jobs = what.jobs()
    name, constants, warps, stages = _common(what, shape, dtype, row, is_forward=True)
    groups = -(-what.window[0] // constants['ROWS'])
    return Launch(
        _MODULE,
        f'forward_by_{name}',
        n * frames * len(jobs) * groups * _parts(constants, height, width),
        dict(constants, JOBS=jobs),
        warps,
        stages,
    )


def backward_launch(
    what: Correlation, shape: Sequence[int], dtype: torch.dtype, row: int
) -> Launch:
    """The kernel that makes the gradient of features; arguments as of :func:`forward_launch`."""
    n, channels, frames, height, width = shape
    sources = what.sources()
    name, constants, warps, stages = _common(what, shape, dtype, row, is_forward=False)
    parts = -(-channels // constants['CHANNELS'])
    return Launch(
        _MODULE,
        f'backward_by_{name}',
        n * frames * len(sources) * parts * _parts(constants, height, width),
        dict(constants, SOURCES=sources),
        warps,
        stages,
    )


def _parts(constants: dict[str, Any], height: int, width: int) -> int:
    """Blocks or tiles of a map."""
    if 'SIDE' in constants:
        return -(-height // constants['SIDE']) * -(-width // constants['SIDE'])
    return -(-height * width // constants['PIXELS'])


def _common(
    what: Correlation, shape: Sequence[int], dtype: torch.dtype, row: int, is_forward: bool
) -> tuple[str, dict[str, Any], int, int]:
    """Name, constants, warps and stages that serve a size best."""
    _, channels, frames, height, width = shape
    sides = what.window
    constants = dict(
        C=channels,
        H=height,
        W=width,
        U=sides[0],
        V=sides[1],
        ROW=row,
        OFFSETS=len(what.offsets),
        BORDER=what.clip_border,
        WIDE=sides[0] * sides[1] * frames * height * width >= _INT32,
    )
    reach = _power(_SIDE + (sides[1] - 1) * max(what.dilations))
    if channels >= _TILES_FROM and reach <= _REACH:
        rows = min(sides[0], max(1, 128 // sides[1]))
        constants.update(
            ROWS=rows,
            SIDE=_SIDE,
            CHANNELS=32 if is_forward else 64,
            STRIP=64 // reach,
            REACH=reach,
            SLOTS=max(16, _power(rows * sides[1])),
            PRECISION='tf32x3',
        )
        return 'tiles', constants, 4 if is_forward else 8, 2
    if is_forward:
        constants.update(ROWS=max(1, min(sides[0], 25 // sides[1])), PIXELS=128)
        return 'pixels', constants, 4, 1
    constants.update(CHANNELS=16, PIXELS=128)
    return 'pixels', constants, 4, 1


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
    launch = forward_launch(what, queries.shape, queries.dtype, queries.stride(-2))
    start(launch, queries, keys, out, *queries.stride()[:3], frames, scale)
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
    launch = backward_launch(what, shape, queries.dtype, queries.stride(-2))
    start(
        launch,
        grad.contiguous(),
        queries,
        keys,
        of_queries,
        of_keys,
        *queries.stride()[:3],
        frames,
        scale,
    )
    return of_queries.transpose(1, 2), of_keys.transpose(1, 2)
