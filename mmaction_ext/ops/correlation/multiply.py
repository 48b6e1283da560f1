"""The products of pairs of frames, portable: by shifts or a Gram matrix.

Shape legend: B pairs of frames, C channels, H rows, W columns, U x V window, D = U*V.
"""

from collections.abc import Sequence

from torch import Tensor

from mmaction_ext.ops.correlation import gram, shifts

_MODULES = {'gram': gram, 'shifts': shifts}


def multiply_frames(
    queries: Tensor,
    keys: Tensor,
    window: Sequence[int],
    dilation: int,
    implementation: str,
) -> Tensor:
    """Inner products of the pixels of two frames within a window.

    Args:
        queries: The frames the window is centred in, (B, C, H, W).
        keys: The frames the window lies in, (B, C, H, W).
        window: ``(U, V)``, odd.
        dilation: Pixels between neighbouring displacements.
        implementation: ``'shifts'`` or ``'gram'``.

    Returns:
        Tensor of shape (B, D, H, W); displacements by rows, up to down and left to right.
    """
    return _MODULES[implementation].multiply_frames(queries, keys, window, dilation)


def multiply_frames_backward(
    grad: Tensor,
    queries: Tensor,
    keys: Tensor,
    window: Sequence[int],
    dilation: int,
    implementation: str,
) -> tuple[Tensor, Tensor]:
    """Gradients of :func:`multiply_frames`.

    Args:
        grad: Gradient of the products, (B, D, H, W).
        queries: As in the forward pass, (B, C, H, W).
        keys: As in the forward pass, (B, C, H, W).
        window: ``(U, V)``, odd.
        dilation: Pixels between neighbouring displacements.
        implementation: ``'shifts'`` or ``'gram'``.

    Returns:
        The gradients of the queries and of the keys, (B, C, H, W) each, contiguous.
    """
    return _MODULES[implementation].multiply_frames_backward(grad, queries, keys, window, dilation)
