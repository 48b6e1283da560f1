"""Where the stages of a backbone are: from stage numbers to submodules.

Stages have the numbers of the papers: 1 is the stem with its pooling, 2 to 5 are the residual
stages.
"""

from collections.abc import Mapping
from typing import Optional

from torch import nn

from mmaction_ext.errors import InputError

STAGES = (1, 2, 3, 4, 5)
_RESIDUAL = {2: 'layer1', 3: 'layer2', 4: 'layer3', 5: 'layer4'}

#: Class name (mmaction2's or timm's, base classes count) to the submodule that ends each stage.
STAGE_NAMES: dict[str, dict[int, str]] = {
    'X3D': {1: 'conv1_t', **_RESIDUAL},
    'ResNet': {1: 'maxpool', **_RESIDUAL},
    'ResNet3d': {1: 'maxpool', **_RESIDUAL},
    'MobileNetV2': {1: 'layer1', 2: 'layer2', 3: 'layer3', 4: 'layer5', 5: 'layer7'},
}


def find_stages(backbone: nn.Module,
                stage_names: Optional[Mapping[int, str]] = None) -> dict[int, str]:
    """Names of the submodules whose outputs are the stages of a backbone.

    Args:
        backbone: The network.
        stage_names: Names that add to or replace the known ones.

    Returns:
        Dict from stage number to submodule name, ascending, of the stages the backbone has.

    Raises:
        InputError: If ``stage_names`` has an unknown stage number or names no submodule.
    """
    submodules = dict(backbone.named_modules())
    known = {stage: name for stage, name in _known_stages(backbone).items()
             if name in submodules}
    for stage, name in (stage_names or {}).items():
        check_stage_number(stage)
        if name not in submodules:
            children = ', '.join(name for name, _ in backbone.named_children())
            raise InputError(f'stage_names: {name!r} (stage {stage}) is no submodule of '
                             f'{type(backbone).__name__}, which has {children}')
        known[stage] = name
    return dict(sorted(known.items()))


def check_stage_number(stage: int) -> None:
    """Raise InputError if ``stage`` is not one of the numbers of the papers."""
    if stage not in STAGES:
        raise InputError(f'unknown stage {stage!r}: stages are 1 (stem) and 2 to 5 (residual '
                         'stages)')


def _known_stages(backbone: nn.Module) -> dict[int, str]:
    for base in type(backbone).__mro__:
        if base.__name__ in STAGE_NAMES:
            return STAGE_NAMES[base.__name__]
    if hasattr(backbone, 'feature_info'):
        return _timm_stages(list(backbone.feature_info))
    return {}


def _timm_stages(feature_info: list[dict]) -> dict[int, str]:
    """Stages by timm's own table: reduction 2 is the stem, 4 to 32 the residual stages."""
    numbers = {2: 1, 4: 2, 8: 3, 16: 4, 32: 5}
    return {numbers[entry['reduction']]: entry['module'] for entry in feature_info
            if entry['reduction'] in numbers}
