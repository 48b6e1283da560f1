"""The window of displacements that correlations and what reads them agree on.

Displacements are (dy, dx) in pixels, down and right positive; a window lists them by rows, up to
down and left to right.
"""

import operator
from collections.abc import Mapping, Sequence

from mmaction_ext.errors import InputError

Window = int | Sequence[int]


def window_sides(window: Window, minimum: int = 1) -> tuple[int, int]:
    """Sides ``(U, V)`` of a window: how many displacements vertically and horizontally.

    Args:
        window: Both sides, each odd, or one int for a square. NumPy's ints are ints.
        minimum: Least length of a side.

    Raises:
        InputError: If there are not two sides, or one is no int, even, or less than ``minimum``.
    """
    try:
        sides = _sides(window)
    except TypeError:
        raise InputError(
            f'window must be one int or two (vertical, horizontal), got {window!r}'
        ) from None
    if len(sides) != 2:
        raise InputError(f'window must be one side or two (vertical, horizontal), got {window!r}')
    if any(side < minimum or side % 2 == 0 for side in sides):
        raise InputError(f'window must be odd and at least {minimum}, got {window!r}')
    return sides


def _sides(window: Window) -> tuple[int, ...]:
    if not hasattr(window, '__iter__'):
        return (operator.index(window),) * 2
    if isinstance(window, Mapping):
        raise TypeError('sides have an order')
    return tuple(operator.index(side) for side in window)


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
