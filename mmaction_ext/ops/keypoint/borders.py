"""Borders between the regions of a map, in pixels and as shares of pixels.

Shape legend: N clips, G sets of regions, T frames, s regions along one side.

A border at ``b`` lies ``b`` pixels below the upper edge of the map (or right of the left edge):
between the pixels ``b - 1`` and ``b`` where it is whole, so that pixel ``i`` reaches from ``i`` to
``i + 1``.
"""

import torch
from torch import Tensor


def keep_apart(borders: Tensor, size: int) -> Tensor:
    """Move borders so that every region is at least one pixel wide.

    Args:
        borders: (..., s+1), in any order. The first and the last are the edges of the map,
            whatever they are here.
        size: Pixels along the side of the map.

    Returns:
        Tensor of the shape of ``borders``, from 0 to ``size``. A border goes no further than it
        must, and an upper one is never moved by a lower one.
    """
    slack = _slack(borders, size)
    return slack + torch.arange(slack.shape[-1], device=slack.device)


def pixel_borders(borders: Tensor, size: int) -> Tensor:
    """First pixel of each region, and ``size``: a pixel belongs where its centre lies.

    Args:
        borders: (..., s+1); :func:`keep_apart` is applied first.
        size: Pixels along the side of the map.

    Returns:
        int64 tensor of the shape of ``borders``. Centres on a border belong to the region behind
        it; NaN borders go as far up as they can.
    """
    slack = torch.ceil(_slack(borders, size) - 0.5).long()
    num_regions = slack.shape[-1] - 1
    slack = slack.clamp(0, size - num_regions)  # what becomes of a NaN is undefined
    return slack + torch.arange(num_regions + 1, device=slack.device)


def _slack(borders: Tensor, size: int) -> Tensor:
    """Kept-apart borders less the pixels that the regions before them need at least."""
    num_regions = borders.shape[-1] - 1
    slack = [torch.zeros_like(borders[..., 0])]
    for index in range(1, num_regions):
        wanted = (borders[..., index] - index).clamp(0, size - num_regions)
        slack.append(torch.maximum(wanted, slack[-1]))
    slack.append(torch.full_like(borders[..., 0], size - num_regions))
    return torch.stack(slack, dim=-1)


def coverage(borders: Tensor, size: int) -> Tensor:
    """Share of each pixel that lies in each region, along one side.

    Args:
        borders: (..., s+1), ascending from 0 to ``size``; floating point or int64.
        size: Pixels along the side of the map.

    Returns:
        Tensor of shape (..., s, size), in [0, 1], of the dtype of ``borders``. Differentiable in
        the borders; the derivative where one is whole is that of moving it onwards.
    """
    pixel = torch.arange(size, device=borders.device)
    border = borders.unsqueeze(-1)
    whole = border.detach().floor()
    before = (pixel < whole) + (pixel == whole) * (border - whole)
    return before.diff(dim=-2)


def region_masks(rows: Tensor, columns: Tensor) -> Tensor:
    """Share of each pixel that lies in each region of the map.

    Args:
        rows: Shares along the rows, (..., s, H).
        columns: Shares along the columns, (..., s, W).

    Returns:
        Tensor of shape (..., K, H*W): regions and pixels by rows.
    """
    masks = rows[..., :, None, :, None] * columns[..., None, :, None, :]
    return masks.flatten(-2).flatten(-3, -2)
