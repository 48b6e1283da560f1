"""Regional maxima and sums by the kernels of ``triton_kernels.py``, on NVIDIA GPUs.

Shape legend: N clips, C channels, T frames, H rows, W columns, G sets of regions, s regions along
a side, K = s*s regions.
"""

from __future__ import annotations

from torch import Tensor

from mmaction_ext.ops.launch import Launch, start

_MODULE = 'mmaction_ext.ops.keypoint.triton_kernels'


def maxima(x: Tensor, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    """See ``portable.maxima``; ``x`` is float32 or half precision, of any strides."""
    n, channels, num_frames, _, width = x.shape
    num_sets, side = rows.shape[1], rows.shape[3] - 1
    shape = n, num_frames, num_sets, side**2, channels
    values, points = x.new_empty(shape), x.new_empty(*shape, 2, dtype=rows.dtype)
    # as wide as most regions, so that few lanes have no pixel
    launch = _launch('maxima', x, num_sets, side, (-(-width // side), 8), 128, side**2 * num_sets)
    borders = rows.contiguous(), columns.contiguous()
    start(launch, x, *borders, values, points, *x.stride(), num_frames)
    return values, points


def maxima_backward(grad: Tensor, points: Tensor, rows: Tensor, height: int, width: int) -> Tensor:
    """See ``portable.maxima_backward``; ``rows`` are those of the maxima."""
    n, num_frames, num_sets, _, channels = grad.shape
    out = grad.new_empty(n, num_frames, height, width, channels)
    launch = _launch(
        'maxima_backward', out.permute(0, 4, 1, 2, 3), num_sets, rows.shape[3] - 1, (width, 16), 64
    )
    start(launch, grad.contiguous(), points.contiguous(), rows.contiguous(), out, num_frames)
    return out


def sums(x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """See ``region_sums``; ``x`` is float32 or half precision, of any strides."""
    n, num_frames, num_sets, side, _ = rows.shape
    out = x.new_empty(n, num_frames, num_sets, side**2, x.shape[1], dtype=rows.dtype)
    launch = _launch('sums', x, num_sets, side, (x.shape[4], 16), 64, num_sets * side)
    start(launch, x, rows.contiguous(), columns.contiguous(), out, *x.stride(), num_frames)
    return out


def sums_backward(grad: Tensor, rows: Tensor, columns: Tensor, out: Tensor) -> None:
    """Gradient of the features of :func:`sums`, into ``out``, which is in channels_last_3d."""
    num_sets, side = rows.shape[2:4]
    launch = _launch('sums_backward', out, num_sets, side, (out.shape[4], 16), 64)
    shares = rows.contiguous(), columns.contiguous()
    start(launch, grad.contiguous(), *shares, out, out.shape[2])


def _launch(
    kernel: str,
    x: Tensor,
    num_sets: int,
    side: int,
    columns: tuple[int, int],
    most_channels: int,
    programs: int | None = None,
) -> Launch:
    """How a kernel is started.

    Args:
        kernel: Its name.
        x: Features (N, C, T, H, W).
        num_sets: G.
        side: s.
        columns: What a program has to look at at a time, and the most that it can.
        most_channels: Likewise, of C.
        programs: For each frame and block of channels; a tile of pixels each if not given.
    """
    n, channels, num_frames, height, width = x.shape
    tile = dict(
        COLUMNS=min(_power(columns[0]), columns[1]), CHANNELS=min(_power(channels), most_channels)
    )
    if programs is None:
        programs = height * -(-width // tile['COLUMNS'])
    blocks = -(-channels // tile['CHANNELS'])
    constants = dict(C=channels, H=height, W=width, G=num_sets, S=side, **tile)
    return Launch(_MODULE, kernel, n * num_frames * blocks * programs, constants, 4, 1)


def _power(number: int) -> int:
    """The least power of two that is no less."""
    return 1 << (number - 1).bit_length()
