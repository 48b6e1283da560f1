"""From a correlation volume to one displacement per pixel."""

import torch
from torch import Tensor

from mmaction_ext.errors import check_at_least, check_positive
from mmaction_ext.ops.precision import widened
from mmaction_ext.ops.window import Window, window_sides, window_spans


def soft_argmax(
    volume: Tensor, window: Window, temperature: float = 1.0, dilation: int = 1
) -> Tensor:
    """Expected displacement under a softmax over the window, a differentiable argmax.

        out[b, :, p] = sum_d softmax_d(volume[b, d, p] / temperature) * (dy_d, dx_d)

    The lower the temperature, the closer to the argmax.

    Args:
        volume: (B, U*V, ...), displacements by rows as in :func:`pair_correlation`, floating
            point, with any dimensions behind.
        window: ``(U, V)``, vertical and horizontal displacements, or one int for both.
        temperature: The divisor of the volume; positive.
        dilation: Pixels between neighbouring displacements.

    Returns:
        Tensor of shape (B, 2, ...) and of the dtype of ``volume``: (dy, dx) in pixels, down and
        right positive. Half precision is computed in float32.

    Raises:
        InputError: For a bad window, or a temperature or dilation that is not positive.
        ValueError: If ``volume`` is not floating point or has not ``U*V`` channels.
    """
    sides = window_sides(window)
    _check(volume, sides, temperature, dilation)
    weights = (1 / temperature * widened(volume)).softmax(dim=1).unflatten(1, sides)
    vertical, horizontal = (weights.new_tensor(span) for span in window_spans(sides, dilation))
    # sums instead of a matrix product, which autocast would do in half precision
    dy = (weights.sum(2).movedim(1, -1) * vertical).sum(-1)
    dx = (weights.sum(1).movedim(1, -1) * horizontal).sum(-1)
    return torch.stack((dy, dx), dim=1).to(volume.dtype)


def _check(volume: Tensor, sides: tuple[int, int], temperature: float, dilation: int) -> None:
    check_positive('temperature', temperature)
    check_at_least('dilation', dilation, 1)
    if not volume.is_floating_point():
        raise ValueError(f'volume must be floating point, got {volume.dtype}')
    if volume.dim() < 2 or volume.shape[1] != sides[0] * sides[1]:
        raise ValueError(
            f'volume must have {sides[0] * sides[1]} channels for a window of '
            f'{sides[0]} x {sides[1]}, got shape {tuple(volume.shape)}'
        )
