"""Which implementation serves a correlation.

Shape legend: N clips, C channels, T frames, H rows, W columns, U x V window.
"""

from collections.abc import Sequence

from torch import Tensor

from mmaction_ext.errors import InputError, check_at_least, check_choice, whole_numbers
from mmaction_ext.ops import launch
from mmaction_ext.ops.correlation import native
from mmaction_ext.ops.window import Window, window_sides

IMPLEMENTATIONS = ('auto', 'triton', 'native', 'portable', 'shifts', 'gram', 'reference')

# Share of a map that its window covers from which on the Gram matrix is taken in place of shifts.
# In place of the C kernel it is where two maps leave that no symmetry of pairs to use: of many
# channels, and a larger share, since the kernel's rows are filled up to whole vectors. Measured
# once each, on two CPU cores, not on a GPU.
_GRAM_SHARE = 0.1
_GRAM_SHARE_OF_FILLED = 1.75
_GRAM_CHANNELS = 512
_VECTOR = 16
# Largest map with one: the Gram matrix of a pair of frames has the square of its pixels.
_GRAM_PIXELS = 64**2


def chosen_implementation(
    x: Tensor,
    window: Window = 5,
    dilation: int | Sequence[int] = 1,
    implementation: str = 'auto',
) -> str:
    """What a correlation would be computed by.

    Args:
        x: Features (N, C, T, H, W) of ``local_correlation``, or one of the two maps (N, C, H, W)
            of ``pair_correlation``.
        window: ``(U, V)``, or one int for both.
        dilation: As of the operator.
        implementation: As of the operator. ``'auto'`` takes kernels of Triton on a GPU that they
            serve, the C kernel on the CPU unless it compares two maps of 512 channels or more
            within a window of about their size or larger, and ``'portable'`` otherwise; that is
            the Gram matrix where the window covers a tenth of the map, and shifts elsewhere.

    Returns:
        ``'triton'``, ``'native'``, ``'shifts'``, ``'gram'`` or ``'reference'``.

    Raises:
        InputError: There is no implementation of that name, or it cannot take such features, or
            the window or the dilation is none; the message says why.
    """
    check_choice('implementation', implementation, IMPLEMENTATIONS)
    window = window_sides(window)
    dilations = whole_numbers(
        'dilation', dilation if hasattr(dilation, '__iter__') else (dilation,)
    )
    check_at_least('dilation', min(dilations, default=0), 1)
    pixels, displacements = x.shape[-2] * x.shape[-1], window[0] * window[1]
    if launch.is_chosen(implementation, x):
        return 'triton'
    if implementation == 'auto':
        lack = native.lack(x, window, dilations)
        if x.dim() == 4 and x.shape[1] >= _GRAM_CHANNELS:
            filled = displacements * -(-x.shape[-1] // _VECTOR) * _VECTOR / x.shape[-1]
            if filled >= _GRAM_SHARE_OF_FILLED * pixels:
                lack = 'the window is large'
        implementation = 'portable' if lack else 'native'
    elif implementation == 'native' and (lack := native.lack(x, window, dilations)):
        raise InputError(f"implementation 'native' is not available: {lack}")
    if implementation == 'portable':
        pays = displacements >= _GRAM_SHARE * pixels and pixels <= _GRAM_PIXELS
        return 'gram' if pays else 'shifts'
    return implementation
