"""Average pooling by two, for maps with more channels than pixels."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def halved(maps: Tensor) -> Tensor:
    """Averages of 2 x 2 pixels; of fewer at the end of odd sides, which are rounded up.

    ``F.avg_pool2d(maps, 2, ceil_mode=True)``, which PyTorch computes pixel by pixel on the CPU:
    there, whole rows are added instead, in a third of the time.

    Args:
        maps: (N, C, H, W), floating point.

    Returns:
        Tensor of shape (N, C, ceil(H / 2), ceil(W / 2)).
    """
    by_rows = (
        maps.device.type == 'cpu'
        and maps.dtype in (torch.float32, torch.float64)
        and not any(side % 2 for side in maps.shape[2:])
    )
    return _Halve.apply(maps) if by_rows else F.avg_pool2d(maps, 2, ceil_mode=True)


class _Halve(torch.autograd.Function):
    """Means of 2 x 2 pixels of maps with even sides."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor) -> Tensor:
        rows = maps[..., 0::2, :] + maps[..., 1::2, :]
        return (rows[..., 0::2] + rows[..., 1::2]).mul_(0.25)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return _Spread.apply(grad)


class _Spread(torch.autograd.Function):
    """A quarter of each pixel's value on 2 x 2 pixels: the adjoint of :class:`_Halve`."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor) -> Tensor:
        n, c, height, width = maps.shape
        quarters = maps * 0.25
        rows = maps.new_empty(n, c, height, 2, 2 * width)
        rows[..., 0, 0::2], rows[..., 0, 1::2] = quarters, quarters
        rows[..., 1, :] = rows[..., 0, :]
        return rows.flatten(2, 3)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return _Halve.apply(grad)
