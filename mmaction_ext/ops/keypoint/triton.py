"""Regional maxima by the kernels of ``triton_kernels.py``, on NVIDIA GPUs.

Shape legend: N clips, C channels, T frames, H rows, W columns, G sets of regions, s regions along
a side, K = s*s regions.
"""

from __future__ import annotations

from torch import Tensor

from mmaction_ext.ops.launch import Launch, start

_MODULE = 'mmaction_ext.ops.keypoint.triton_kernels'


def maxima(x: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """See ``portable.maxima``; ``x`` is float32 or half precision, any strides."""
    n, channels, num_frames, height, width = x.shape
    num_sets, side = rows.shape[1], rows.shape[3] - 1
    shape = n, num_frames, num_sets, side**2, channels
    values, points = x.new_empty(shape), rows.new_empty(*shape, 2)
    # what most regions are as wide as, so that few lanes have no pixel
    tile = _tile(channels, 128, -(-width // side), 8)
    launch = Launch(
        _MODULE,
        'forward',
        n * num_frames * num_sets * side**2 * -(-channels // tile['CHANNELS']),
        dict(C=channels, H=height, W=width, G=num_sets, S=side, **tile),
        4,
        1,
    )
    start(
        launch,
        x,
        rows.contiguous(),
        columns.contiguous(),
        values,
        points,
        *x.stride(),
        num_frames,
    )
    return values, points


def maxima_backward(grad: Tensor, points: Tensor, rows: Tensor, height: int, width: int) -> Tensor:
    """See ``portable.maxima_backward``; ``rows`` are those of the maxima."""
    n, num_frames, num_sets, _, channels = grad.shape
    out = grad.new_empty(n, num_frames, height, width, channels)
    tile = _tile(channels, 64, width, 16)
    blocks = height * -(-width // tile['COLUMNS']) * -(-channels // tile['CHANNELS'])
    constants = dict(C=channels, H=height, W=width, G=num_sets, S=rows.shape[3] - 1, **tile)
    launch = Launch(_MODULE, 'backward', n * num_frames * blocks, constants, 4, 1)
    start(launch, grad.contiguous(), points.contiguous(), rows.contiguous(), out, num_frames)
    return out


def _tile(channels: int, most_channels: int, columns: int, most_columns: int) -> dict[str, int]:
    return dict(
        COLUMNS=min(most_columns, _power(columns)), CHANNELS=min(most_channels, _power(channels))
    )


def _power(number: int) -> int:
    """The least power of two that is no less."""
    return 1 << (number - 1).bit_length()
