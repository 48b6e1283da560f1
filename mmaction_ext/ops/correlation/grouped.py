"""Correlation of groups of channels with learnt weights, the operation under CorrNet."""

from torch import Tensor

from mmaction_ext.errors import InputError, check_at_least
from mmaction_ext.ops.correlation.pair import pair_correlation
from mmaction_ext.ops.window import Window, window_sides


def grouped_correlation(
    queries: Tensor,
    keys: Tensor,
    weight: Tensor | None = None,
    groups: int = 1,
    window: Window = 7,
    dilation: int = 1,
) -> Tensor:
    """Weighted means of products of pixels with the pixels around them, group by group.

    The correlation operator of "Video Modeling with Correlation Networks" (arXiv 1906.03349).
    With ``D = U * V`` displacements, ``s`` the dilation and ``G_g`` the ``C / G`` neighbouring
    channels of group ``g``, output channel ``g * D + a * V + b`` at frame ``t``, row ``i``,
    column ``j`` is the mean over ``c`` in ``G_g`` of

        weight[c, t, a, b] * queries[:, t, c, i, j]
            * keys[:, t, c, i + s * (a - U // 2), j + s * (b - V // 2)]

    Pixels outside the map count as zero. Without weights it is a :func:`pair_correlation` for each
    group. With them every channel is a group of its own, whose products are weighed before they
    are added: ``C * D`` maps are kept for the backward pass.

    Args:
        queries: Frames the window is centred in, (N, T, C, H, W), floating point.
        keys: Frames the window lies in, of the shape and dtype of ``queries``.
        weight: (C, T, U, V), or (C, 1, U, V) for the same at all frames; None for ones.
        groups: ``G``, which divides ``C``.
        window: ``(U, V)``, vertical and horizontal displacements, odd, or one int for both.
        dilation: Pixels between neighbouring displacements.

    Returns:
        Tensor of shape (N, T, G*U*V, H, W) and of the dtype of ``queries``.

    Raises:
        InputError: For groups that do not divide the channels, weights of another shape, or as
            :func:`pair_correlation`.
        ValueError: As :func:`pair_correlation`.
    """
    sides = window_sides(window)
    frames, (channels, *size) = queries.shape[:2], queries.shape[2:]
    check_at_least('groups', groups, 1)
    if channels % groups:
        raise InputError(f'groups must divide the {channels} channels, got {groups}')
    each = channels // groups if weight is None else 1
    maps = queries.reshape(-1, each, *size), keys.reshape(-1, each, *size)
    volume = pair_correlation(*maps, sides, dilation, scale=groups / channels)
    if weight is None:
        return volume.reshape(*frames, -1, *size)
    if weight.shape not in [(channels, length, *sides) for length in (1, frames[1])]:
        raise InputError(
            f'weight must be ({channels}, 1 or {frames[1]}, {sides[0]}, {sides[1]}), '
            f'got {tuple(weight.shape)}'
        )
    factors = weight.to(volume.dtype).transpose(0, 1).flatten(2).unflatten(1, (groups, -1))
    products = volume.reshape(*frames, *factors.shape[1:], *size) * factors[..., None, None]
    return products.sum(dim=3).flatten(2, 3)
