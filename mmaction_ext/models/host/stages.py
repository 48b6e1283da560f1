"""Where the stages of a backbone are: from stage numbers to submodules.

Stages have the numbers of the papers: 1 is the stem with its pooling, 2 to 5 are the residual
stages. Networks without a stem's reduction by 2 (patches of 4x4 pixels) have no stage 1.
"""

from collections.abc import Mapping
from typing import Any

from torch import nn

from mmaction_ext.errors import InputError

STAGES = (1, 2, 3, 4, 5)
_RESIDUAL = {2: 'layer1', 3: 'layer2', 4: 'layer3', 5: 'layer4'}
_NUMBERED = {stage: f'stage{stage}' for stage in STAGES}

#: Class name (ours, mmaction2's or timm's, base classes count) to the submodule that ends each
#: stage; a list of modules stands for its last one.
STAGE_NAMES: dict[str, dict[int, str]] = {
    'C2D': {1: 'maxpool3d_1', **_RESIDUAL},
    'FrameResNet': {1: 'maxpool', **_RESIDUAL},
    'MFNet': _NUMBERED,
    'MobileNetV2': {1: 'layer1', 2: 'layer2', 3: 'layer3', 4: 'layer5', 5: 'layer7'},
    'R2Plus1D': _NUMBERED,
    'ResNet': {1: 'maxpool', **_RESIDUAL},
    'ResNeXt3d': {1: 'maxpool', **_RESIDUAL},
    'ResNet3d': {1: 'maxpool', **_RESIDUAL},
    'SwinTransformer3D': {2: 'layers.0', 3: 'layers.1', 4: 'layers.2', 5: 'layers.3'},
    'UniFormer': {2: 'blocks1', 3: 'blocks2', 4: 'blocks3', 5: 'blocks4'},
    'X3D': {1: 'conv1_t', **_RESIDUAL},
}


def find_stages(
    backbone: nn.Module, stage_names: Mapping[int, str] | None = None
) -> dict[int, str]:
    """Names of the submodules whose outputs are the stages of a backbone.

    Stages of timm's models are found by the reduction of their features: 2 is the stem, 4 to 32
    are stages 2 to 5. A plain vision transformer has one reduction only: there stage 1 is the
    patch embedding, and stages 2 to 5 are the ends of the four quarters of the blocks, which is
    where dense prediction usually takes features from a plain transformer. No paper says so.

    Args:
        backbone: The network.
        stage_names: Names that add to or replace the known ones.

    Returns:
        Dict from stage number to submodule name, ascending, of the stages the backbone has.

    Raises:
        InputError: If ``stage_names`` has an unknown stage number or names no submodule.
    """
    submodules = dict(backbone.named_modules())
    known = {stage: name for stage, name in _known_stages(backbone).items() if name in submodules}
    for stage, name in (stage_names or {}).items():
        check_stage_number(stage)
        if name not in submodules:
            children = ', '.join(name for name, _ in backbone.named_children())
            raise InputError(
                f'stage_names: {name!r} (stage {stage}) is no submodule of '
                f'{type(backbone).__name__}, which has {children}'
            )
        known[stage] = name
    return {stage: _last_of_list(known[stage], submodules) for stage in sorted(known)}


def check_stage_number(stage: int) -> None:
    """Raise InputError if ``stage`` is not one of the numbers of the papers."""
    if type(stage) is not int or stage not in STAGES:  # True is an int, too
        raise InputError(
            f'unknown stage {stage!r}: stages are 1 (stem) and 2 to 5 (residual stages)'
        )


def _known_stages(backbone: Any) -> dict[int, str]:
    for base in type(backbone).__mro__:
        if base.__name__ in STAGE_NAMES:
            return STAGE_NAMES[base.__name__]
    if hasattr(backbone, 'stage_indices'):  # mmaction2's MViT: from last block to scale
        return {scale + 2: f'blocks.{block}' for block, scale in backbone.stage_indices.items()}
    if hasattr(backbone, 'feature_info'):
        return _timm_stages(backbone, list(backbone.feature_info))
    return {}


def _timm_stages(backbone: nn.Module, feature_info: list[dict[str, Any]]) -> dict[int, str]:
    """Stages by timm's own table of features."""
    if (
        len({entry['reduction'] for entry in feature_info}) == 1
        and len(feature_info) >= 4
        and (hasattr(backbone, 'patch_embed'))
    ):
        return {1: 'patch_embed', **_quarters([entry['module'] for entry in feature_info])}
    numbers = {2: 1, 4: 2, 8: 3, 16: 4, 32: 5}
    return {
        numbers[entry['reduction']]: entry['module']
        for entry in feature_info
        if entry['reduction'] in numbers
    }


def _quarters(blocks: list[str]) -> dict[int, str]:
    """Last block of each quarter; quarters of unequal length grow at the front."""
    return {quarter + 1: blocks[-(-quarter * len(blocks) // 4) - 1] for quarter in (1, 2, 3, 4)}


def _last_of_list(name: str, submodules: Mapping[str, nn.Module]) -> str:
    found = submodules[name]
    return f'{name}.{len(found) - 1}' if isinstance(found, nn.ModuleList) else name
