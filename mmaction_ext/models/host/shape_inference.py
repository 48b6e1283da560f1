"""What a backbone's stages give, found out by running a copy on the meta device."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from mmaction_ext.errors import InputError
from mmaction_ext.models.host.layouts import find_layout, is_channels_last, token_grid

Network = TypeVar('Network', bound=nn.Module)

_FRAMES = 64
_SIZE = 224
#: 2-D backbones of mmaction2 that take clips all the same.
_TAKES_CLIPS = ('C2D',)


@dataclass(frozen=True)
class StageOutput:
    """What a stage gives at the size of the example input.

    Attributes:
        channels: ``C``.
        size: (H, W) of the map.
        channels_last: Whether the backbone lays it out with channels last.
    """

    channels: int
    size: tuple[int, int]
    channels_last: bool


def sees_frames(backbone: nn.Module) -> bool:
    """Whether a backbone takes frames, (N*T, C, H, W), and not clips, (N, C, T, H, W)."""
    return (
        len(_first_convolution(backbone).kernel_size) == 2
        and type(backbone).__name__ not in _TAKES_CLIPS
    )


def example_input(backbone: nn.Module, num_segments: int | None) -> Tensor:
    """One clip without data, of the size a backbone is built for (224x224 if any will do)."""
    channels = getattr(backbone, 'input_channels', None)  # told by what splits its input
    channels = channels or _first_convolution(backbone).in_channels
    size = _input_size(backbone)
    if sees_frames(backbone):
        assert num_segments is not None
        return torch.empty(num_segments, channels, *size, device='meta')
    return torch.empty(1, channels, num_segments or _FRAMES, *size, device='meta')


def map_size(x: Tensor) -> tuple[int, int]:
    """(H, W) of frames, clips or maps."""
    height, width = x.shape[-2:]
    return height, width


def meta_copy(network: Network) -> Network:
    """A copy for evaluation whose weights hold no memory."""
    copied = copy.deepcopy(network).to('meta')
    copied.eval()  # not chained: train() of some of mmaction2's backbones returns None
    return copied


def infer_shapes(
    backbone: nn.Module, names: Mapping[int, str], x: Tensor
) -> dict[int, StageOutput]:
    """Run a backbone and see what its stages give.

    Args:
        backbone: The network, a :func:`meta_copy`.
        names: Submodule that ends each stage.
        x: An :func:`example_input`.

    Returns:
        Output of each stage.

    Raises:
        InputError: If a stage is never run, or gives nothing that maps can be made of.
    """
    outputs: dict[int, Any] = {}
    handles = [
        backbone.get_submodule(name).register_forward_hook(
            lambda _, __, y, stage=stage: outputs.update({stage: y})
        )
        for stage, name in names.items()
    ]
    with torch.no_grad():
        backbone(x)
    for handle in handles:
        handle.remove()
    return {stage: _describe(backbone, stage, name, outputs, x) for stage, name in names.items()}


def _describe(
    backbone: nn.Module, stage: int, name: str, outputs: Mapping[int, Any], x: Tensor
) -> StageOutput:
    where = f'stage {stage} ({name}) of {type(backbone).__name__} gives no feature map'
    if stage not in outputs:
        raise InputError(f'{where}: it is never run')
    features = outputs[stage]
    channels_last = is_channels_last(backbone, name, features)
    try:
        layout = find_layout(
            features,
            channels_last,
            token_grid(backbone, map_size(x)),
            getattr(backbone, 'num_prefix_tokens', 0),
        )
    except InputError as error:
        raise InputError(f'{where}: {error}') from error
    maps = layout.take(features)
    return StageOutput(maps.shape[1], map_size(maps), channels_last)


def _first_convolution(backbone: nn.Module) -> Any:
    kinds = (nn.Conv2d, nn.Conv3d)
    found = next((m for m in backbone.modules() if isinstance(m, kinds)), None)
    if found is None:
        raise InputError(
            f'{type(backbone).__name__} has no 2-D or 3-D convolution to tell its input shape by'
        )
    return found


def _input_size(backbone: nn.Module) -> tuple[int, int]:
    """The one size that timm's model takes, if it is so."""
    embedded = getattr(getattr(backbone, 'patch_embed', None), 'img_size', None)
    if embedded is not None:
        return tuple(embedded)
    known = getattr(backbone, 'pretrained_cfg', None) or {}
    fixed = known.get('fixed_input_size') and known.get('input_size')
    return tuple(fixed[-2:]) if fixed else (_SIZE, _SIZE)
