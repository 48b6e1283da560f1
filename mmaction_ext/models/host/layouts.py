"""How backbones lay out their features, and the way to feature maps and back.

Maps are (N*T, C, H, W) of frames or (N, C, T, H, W) of clips; clips are always the latter.

Shape legend: N clips, T frames, C channels, H rows, W columns, P prefix tokens (class and
register tokens), which stay as they are.
"""

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mmaction_ext.errors import InputError

#: Classes whose output is channels-last, where neither they nor their backbone say so.
_CHANNELS_LAST = ('mmaction.models.backbones.swin.BasicLayer',)


class Maps:
    """Features that are maps already."""

    def take(self, features: Any) -> Tensor:
        """The feature maps in what a submodule returns."""
        return features

    def put(self, maps: Tensor, features: Any) -> Any:
        """What the submodule would have returned with these maps."""
        return maps


class ChannelsLast(Maps):
    """(N*T, H, W, C) or (N, T, H, W, C), as Swin has it."""

    def take(self, features: Tensor) -> Tensor:
        """See :meth:`Maps.take`."""
        return features.movedim(-1, 1)

    def put(self, maps: Tensor, features: Tensor) -> Tensor:
        """See :meth:`Maps.put`."""
        return maps.movedim(1, -1).contiguous()


@dataclass(frozen=True)
class Tokens(Maps):
    """(N*T, P + H*W, C) or (N, P + T*H*W, C), row by row, as plain transformers have it.

    Attributes:
        grid: (H, W) or (T, H, W).
        prefix: ``P``.
    """

    grid: tuple[int, ...]
    prefix: int = 0

    def take(self, features: Any) -> Tensor:
        """See :meth:`Maps.take`."""
        return features[:, self.prefix :].transpose(1, 2).unflatten(2, self.grid)

    def put(self, maps: Tensor, features: Any) -> Any:
        """See :meth:`Maps.put`."""
        tokens = maps.flatten(2).transpose(1, 2)
        return torch.cat((features[:, : self.prefix], tokens), dim=1)


@dataclass(frozen=True)
class SizedTokens(Tokens):
    """A pair of tokens and their grid, as mmaction2's MViT has it."""

    def take(self, features: Any) -> Tensor:
        """See :meth:`Maps.take`."""
        return super().take(features[0])

    def put(self, maps: Tensor, features: Any) -> Any:
        """See :meth:`Maps.put`."""
        return super().put(maps, features[0]), *features[1:]


def find_layout(
    features: Any,
    channels_last: bool = False,
    grid: tuple[int, int] | None = None,
    max_prefix: int = 0,
) -> Maps:
    """Layout of what a submodule returned.

    Args:
        features: The output.
        channels_last: Whether outputs of rank 4 and 5 have their channels last.
        grid: (H, W) of a backbone's tokens at this input; see :func:`token_grid`.
        max_prefix: Prefix tokens the backbone has from its embedding on.

    Returns:
        The layout, which converts outputs of this kind.

    Raises:
        InputError: If the output is nothing that maps can be made of.
    """
    if _is_sized(features):
        tokens, grid = features[0], tuple(features[1])
        return SizedTokens(grid, tokens.shape[1] - math.prod(grid))
    if not isinstance(features, Tensor):
        raise InputError(f'a {type(features).__name__} is no feature map')
    if features.dim() == 3 and grid is not None:
        prefix = features.shape[1] - math.prod(grid)
        if prefix in (0, max_prefix):
            return Tokens(grid, prefix)
    if features.dim() not in (4, 5):
        raise InputError(
            f'{tuple(features.shape)} is no feature map, nor tokens of a grid '
            f'({grid or "unknown"}) with {max_prefix} prefix tokens'
        )
    return ChannelsLast() if channels_last else Maps()


def token_grid(backbone: nn.Module, size: tuple[int, int]) -> tuple[int, int] | None:
    """(H, W) of the tokens that a backbone of timm makes of frames.

    Args:
        backbone: The network.
        size: (H, W) of the frames in pixels.

    Returns:
        The grid, or None for a backbone whose ``patch_embed`` does not tell.
    """
    embedding: Any = getattr(backbone, 'patch_embed', None)
    if hasattr(embedding, 'dynamic_feat_size'):
        return tuple(embedding.dynamic_feat_size(size))
    grid = getattr(embedding, 'grid_size', None)
    return None if grid is None else tuple(grid)


def is_channels_last(backbone: nn.Module, name: str, features: Any) -> bool:
    """Whether a submodule's output of rank 4 or 5 has its channels last.

    Args:
        backbone: The network.
        name: The submodule's name; empty for the backbone itself.
        features: An output of the submodule. timm's table tells its number of channels, which
            is believed before ``output_fmt``.
    """
    submodule = backbone.get_submodule(name)
    kind = f'{type(submodule).__module__}.{type(submodule).__qualname__}'
    if kind in _CHANNELS_LAST:
        return True
    channels = {
        entry.get('module'): entry['num_chs'] for entry in getattr(backbone, 'feature_info', ())
    }.get(name)
    if channels is not None and isinstance(features, Tensor):
        first, last = features.shape[1] == channels, features.shape[-1] == channels
        if first != last:
            return last
    formats = getattr(submodule, 'output_fmt', getattr(backbone, 'output_fmt', 'NCHW'))
    return str(formats).endswith('NHWC')


def to_clips(maps: Tensor, num_clips: int) -> Tensor:
    """Maps of frames or clips to (N, C, T, H, W)."""
    if maps.dim() == 5:
        return maps
    return maps.unflatten(0, (num_clips, -1)).transpose(1, 2)


def from_clips(clips: Tensor, maps: Tensor) -> Tensor:
    """Clips (N, C, T, H, W) to the shape of the maps they were made of."""
    return clips if maps.dim() == 5 else clips.transpose(1, 2).flatten(0, 1)


def _is_sized(features: Any) -> bool:
    """A tensor of tokens and three numbers."""
    return (
        isinstance(features, (tuple, list))
        and len(features) == 2
        and isinstance(features[0], Tensor)
        and features[0].dim() == 3
        and isinstance(features[1], (tuple, list, torch.Size))
        and len(features[1]) == 3
    )
