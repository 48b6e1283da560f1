"""The window of displacements that correlations and what reads them agree on.

Displacements are (dy, dx) in pixels, down and right positive; a window lists them by rows, up to
down and left to right.
"""

from collections.abc import Sequence
from typing import Union

from mmaction_ext.errors import InputError

Window = Union[int, Sequence[int]]


def window_sides(window: Window) -> tuple[int, int]:
    """Sides ``(U, V)`` of a window: how many displacements vertically and horizontally.

    Args:
        window: Both sides, each odd and positive, or one int for a square.

    Raises:
        InputError: If there are not two sides, or one is even or not positive.
    """
    sides = (window, window) if isinstance(window, int) else tuple(window)
    if len(sides) != 2:
        raise InputError(f'window must be one side or two (vertical, horizontal), got {window}')
    if any(side < 1 or side % 2 == 0 for side in sides):
        raise InputError(f'window must be odd and positive, got {window}')
    return sides


def window_spans(window: Sequence[int], dilation: int) -> tuple[list[int], list[int]]:
    """The vertical and the horizontal displacements of a window, in pixels.

    Args:
        window: ``(U, V)``.
        dilation: Pixels between neighbouring displacements.
    """
    vertical, horizontal = ([dilation * (i - side // 2) for i in range(side)] for side in window)
    return vertical, horizontal


def window_displacements(window: Sequence[int], dilation: int) -> list[tuple[int, int]]:
    """All ``U * V`` displacements (dy, dx) of a window, in pixels and in its order.

    Args:
        window: ``(U, V)``.
        dilation: Pixels between neighbouring displacements.
    """
    vertical, horizontal = window_spans(window, dilation)
    return [(dy, dx) for dy in vertical for dx in horizontal]
