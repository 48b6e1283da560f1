"""The products of pairs of frames, by the implementation that suits them.

Shape legend: B pairs of frames, C channels, H rows, W columns, U x V window, D = U*V.
"""

from collections.abc import Sequence
from types import ModuleType

from torch import Tensor

from mmaction_ext.errors import check_choice
from mmaction_ext.ops.correlation import gram, shifts

IMPLEMENTATIONS = ('auto', 'reference', 'shifts', 'gram', 'native', 'triton')

# Share of a map that its window covers from which on the Gram matrix is taken. A choice that was
# measured once, on two CPU cores; it was not measured on a GPU.
_GRAM_SHARE = 0.25
# Largest map with one: the Gram matrix of a pair of frames has the square of its pixels.
_GRAM_PIXELS = 64**2


def check_implementation(name: str) -> None:
    """Refuse an unknown implementation.

    Raises:
        InputError: If there is none of this name.
    """
    check_choice('implementation', name, IMPLEMENTATIONS)


def multiply_frames(
    queries: Tensor,
    keys: Tensor,
    window: Sequence[int],
    dilation: int,
    implementation: str = 'auto',
) -> Tensor:
    """Inner products of the pixels of two frames within a window.

    Args:
        queries: The frames the window is centred in, (B, C, H, W).
        keys: The frames the window lies in, (B, C, H, W).
        window: ``(U, V)``, odd.
        dilation: Pixels between neighbouring displacements.
        implementation: ``'shifts'``, ``'gram'`` or ``'auto'``.

    Returns:
        Tensor of shape (B, D, H, W); displacements by rows, up to down and left to right.
    """
    module = _choose(queries, window, implementation)
    return module.multiply_frames(queries, keys, window, dilation)


def multiply_frames_backward(
    grad: Tensor,
    queries: Tensor,
    keys: Tensor,
    window: Sequence[int],
    dilation: int,
    implementation: str = 'auto',
) -> tuple[Tensor, Tensor]:
    """Gradients of :func:`multiply_frames`.

    Args:
        grad: Gradient of the products, (B, D, H, W).
        queries: As in the forward pass, (B, C, H, W).
        keys: As in the forward pass, (B, C, H, W).
        window: ``(U, V)``, odd.
        dilation: Pixels between neighbouring displacements.
        implementation: ``'shifts'``, ``'gram'`` or ``'auto'``.

    Returns:
        The gradients of the queries and of the keys, (B, C, H, W) each, contiguous.
    """
    module = _choose(queries, window, implementation)
    return module.multiply_frames_backward(grad, queries, keys, window, dilation)


def _choose(x: Tensor, window: Sequence[int], implementation: str) -> ModuleType:
    if implementation == 'auto':
        pixels, displacements = x.shape[-2] * x.shape[-1], window[0] * window[1]
        pays = displacements >= _GRAM_SHARE * pixels and pixels <= _GRAM_PIXELS
        implementation = 'gram' if pays else 'shifts'
    return {'gram': gram, 'shifts': shifts}[implementation]
