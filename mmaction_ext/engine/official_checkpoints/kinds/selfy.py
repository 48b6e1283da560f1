"""SELFY: github.com/arunos728/SELFY, commit d6e1e00.

``module.base_model.<torchvision's name in a ResNet>``, the block as ``selfy.`` beside it, and
``module.new_fc``, a 1x1 ``Conv1d``; networks without dropout have ``base_model.fc1`` instead.
"""

import re

from mmaction_ext.engine.official_checkpoints.kind import (
    RESNET,
    Kind,
    Network,
    Weights,
    resnet_depth,
    size,
    tsm_settings,
)
from mmaction_ext.errors import InputError

_INTEGRATION_CHANNELS = 64


def _layers() -> dict[str, str]:
    layers = {
        'transformation.conv': 'stss_transformation.downsample.0',
        'transformation.bn': 'stss_transformation.downsample.1',
    }
    for part, theirs, count in (
        ('extraction.layers', 'stss_extraction', 4),
        ('integration.shared', 'stss_integration', 3),
    ):
        for index in range(count):
            layers[f'{part}.{index}.conv'] = f'{theirs}.conv{index}.0'
            layers[f'{part}.{index}.bn'] = f'{theirs}.conv{index}.1'
    layers.update(
        {
            'integration.fuse.conv': 'stss_integration.conv3_fuse.1',
            'integration.fuse.bn': 'stss_integration.conv3_fuse.2',
            'integration.up': 'stss_integration.upsample.0',
            'integration.bn': 'stss_integration.upsample.1',
        }
    )
    return {
        re.escape(f'backbone.module.blocks.3.0.{ours}'): f'selfy.{theirs}'
        for ours, theirs in layers.items()
    }


def _shape(name: str, shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """Kernels of the extraction: (l, u, v) = (1, 3, 3) there, (u, v, pixels) = (3, 3, 1) here."""
    if '.extraction.' in name and len(shape) == 5:
        return (*shape[:2], shape[4], *shape[2:4])
    return None


def _read(weights: Weights, frames: int | None) -> Network:
    channels = size(weights, 'selfy.stss_integration.conv3_fuse.1.weight', 1, 320)
    count = channels // _INTEGRATION_CHANNELS
    if count % 2 == 0:
        raise InputError(
            f'the fusing convolution of SELFY reads {channels} channels: that is not '
            f'{_INTEGRATION_CHANNELS} for each of an odd number of offsets'
        )
    half = count // 2
    if frames is not None and frames <= half:
        raise InputError(f'--num-segments {frames} is too few for offsets from -{half} to {half}')
    chosen = frames or max(16 if count == 9 else 8, half + 1)
    remark = (
        f'clips of {chosen} frames are assumed: {count} offsets do not tell; --num-segments does'
    )
    if count == 9:  # the released code has 5 for any length; the cost of 16 frames fits 9
        remark += ' (9 for clips of 16 frames is recalled of the paper, not read in it)'
    depth, classes = resnet_depth(weights), size(weights, 'new_fc.weight', 0, 174)
    return Network(
        {
            **tsm_settings(depth, classes, chosen),
            'model.backbone.module.offsets': tuple(range(-half, half + 1)),
        },
        f'TSM-ResNet-{depth}, {chosen} frames, {classes} classes, SELFY with {count} offsets',
        '' if frames else remark,
    )


KIND = Kind(
    mark=r'selfy\.',
    configs=('selfy/table1_sthv1/selfy_tsm_r50_8f.py', 'selfy/table1_sthv1/selfy_tsm_r50_16f.py'),
    layers={**_layers(), **RESNET},
    read=_read,
    shape=_shape,
    block='selfy.',
)
