"""Regional maxima by the compiled kernel of ``native.c``, in float32 on the CPU.

Shape legend: N clips, C channels, T frames, H rows, W columns, G sets of regions, s regions along
a side, K = s*s regions.
"""

from __future__ import annotations

import ctypes
import functools
from pathlib import Path

import torch
from torch import Tensor

from mmaction_ext.ops import compiled

_SOURCE = Path(__file__).with_suffix('.c')


class _Maps(ctypes.Structure):
    _fields_ = [
        ('values', ctypes.c_void_p),
        *[
            (name, ctypes.c_int64)
            for name in (
                'clip',
                'channel',
                'frame',
                'row',
                'column',
                'channels',
                'frames',
                'height',
                'width',
                'sets',
                'side',
            )
        ],
        ('rows', ctypes.c_void_p),
        ('columns', ctypes.c_void_p),
    ]


@functools.cache
def _kernel() -> tuple[ctypes.CDLL, int]:
    """The compiled kernel, which must not lack, and the number of the best instruction set."""
    library = compiled.load(_SOURCE)
    assert library is not None
    number, address = ctypes.c_int64, ctypes.c_void_p
    library.best_instructions.restype = number
    library.maxima.argtypes = [number, address, address, address, number, number]
    library.maxima_backward.argtypes = [address, address, *[number] * 4, address, number, number]
    return library, library.best_instructions()


def lack(device: torch.device, dtype: torch.dtype) -> str | None:
    """What keeps the kernel from taking features; None where nothing does."""
    if device.type != 'cpu' or dtype == torch.float64:
        return f'it takes 32 bits or less on the CPU, not {dtype} on {device.type}'
    return 'it could not be compiled' if compiled.load(_SOURCE) is None else None


def maxima(x: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """See ``portable.maxima``; ``x`` is float32 of any strides."""
    (library, instructions), rows, columns = _kernel(), rows.contiguous(), columns.contiguous()
    n, num_sets, num_frames, num_borders = rows.shape
    shape = n, num_frames, num_sets, (num_borders - 1) ** 2, x.shape[1]
    values, points = x.new_empty(shape), rows.new_empty(*shape, 2)
    maps = _Maps(
        x.data_ptr(),
        *x.stride(),
        *x.shape[1:],
        num_sets,
        num_borders - 1,
        rows.data_ptr(),
        columns.data_ptr(),
    )

    def work(begin: int, end: int) -> int:
        return library.maxima(
            instructions, ctypes.byref(maps), values.data_ptr(), points.data_ptr(), begin, end
        )

    compiled.run(work, n * num_frames)
    return values, points


def maxima_backward(grad: Tensor, points: Tensor, height: int, width: int) -> Tensor:
    """See ``portable.maxima_backward``; ``grad`` is float32."""
    (library, _), grad, points = _kernel(), grad.contiguous(), points.contiguous()
    n, num_frames, num_sets, num_regions, channels = grad.shape
    out = grad.new_empty(n, num_frames, height, width, channels)

    def work(begin: int, end: int) -> int:
        return library.maxima_backward(
            grad.data_ptr(),
            points.data_ptr(),
            num_sets * num_regions,
            channels,
            height,
            width,
            out.data_ptr(),
            begin,
            end,
        )

    compiled.run(work, n * num_frames)
    return out
