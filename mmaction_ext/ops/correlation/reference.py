"""The equations of correlation as plain loops: the oracle of every faster version.

Shape legend: N clips, C channels, T frames, H rows, W columns, U x V window, O offsets.
"""

from collections.abc import Sequence

import torch
from torch import Tensor


def source_frame(frame: int, num_frames: int, clip_border: str) -> int | None:
    """Index of the stored frame that stands at time ``frame``.

    Args:
        frame: Time in frames; may lie outside ``[0, num_frames)``.
        num_frames: ``T``, frames in the clip.
        clip_border: ``'zeros'``, ``'replicate'`` or ``'circular'``.

    Returns:
        The index, or None where an all-zero frame stands (``'zeros'``).
    """
    if 0 <= frame < num_frames:
        return frame
    if clip_border == 'replicate':
        return min(max(frame, 0), num_frames - 1)
    if clip_border == 'circular':
        return frame % num_frames
    return None


def correlation_reference(
    x: Tensor,
    offsets: Sequence[int],
    window: Sequence[int],
    dilations: Sequence[int],
    clip_border: str,
    scale: float,
) -> Tensor:
    """Local correlation by loops over offsets, frames and displacements.

    Differentiable by autograd, in any floating dtype. Slow and memory-hungry on purpose.

    Args:
        x: Features of shape (N, C, T, H, W).
        offsets: Temporal offsets ``tau``, one per block of ``U*V`` output channels.
        window: ``(U, V)``, odd.
        dilations: Pixels between neighbouring displacements, one per offset.
        clip_border: What stands before the first and after the last frame.
        scale: Factor of every inner product.

    Returns:
        Tensor of shape (N, O*U*V, T, H, W).
    """
    num_frames = x.shape[2]
    volumes = []
    for tau, dilation in zip(offsets, dilations, strict=True):
        sources = [source_frame(t + tau, num_frames, clip_border) for t in range(num_frames)]
        frames = [torch.zeros_like(x[:, :, 0]) if s is None else x[:, :, s] for s in sources]
        target = torch.stack(frames, dim=2)
        volumes.append(pair_reference(x, target, window, dilation, scale))
    return torch.cat(volumes, dim=1)


def pair_reference(
    queries: Tensor, keys: Tensor, window: Sequence[int], dilation: int, scale: float
) -> Tensor:
    """Correlation of two maps by loops over displacements and pixels.

    Differentiable by autograd, in any floating dtype.

    Args:
        queries: (N, C, ..., H, W).
        keys: As ``queries``.
        window: ``(U, V)``, odd.
        dilation: Pixels between neighbouring displacements.
        scale: Factor of every inner product.

    Returns:
        Tensor of shape (N, U*V, ..., H, W).
    """
    volume = []
    for row in range(-(window[0] // 2), window[0] // 2 + 1):
        for column in range(-(window[1] // 2), window[1] // 2 + 1):
            moved = _displaced(keys, row * dilation, column * dilation)
            volume.append((queries * moved).sum(dim=1) * scale)
    return torch.stack(volume, dim=1)


def _displaced(x: Tensor, rows: int, columns: int) -> Tensor:
    """``y[..., i, j] = x[..., i + rows, j + columns]``, zero outside the map."""
    height, width = x.shape[-2:]
    y = torch.zeros_like(x)
    for i in range(max(0, -rows), min(height, height - rows)):
        for j in range(max(0, -columns), min(width, width - columns)):
            y[..., i, j] = x[..., i + rows, j + columns]
    return y
