"""MSNet: github.com/arunos728/MotionSqueeze, commit e94684d.

``module.base_model.<torchvision's name in a ResNet>``, the layers of the block as
``chnl_reduction.`` and ``flow_refinement.`` beside it, and ``module.new_fc``, a 1x1 ``Conv1d``.
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


def _layers() -> dict[str, str]:
    layers = {'matching.conv': 'chnl_reduction.0', 'matching.bn': 'chnl_reduction.1'}
    # a depthwise convolution, its normalisation and ReLU, then the same of a 1x1 convolution
    for index in range(8):
        group, place = f'flow_refinement.conv{index // 2 + 1}', 3 * (index % 2)
        layers[f'transformation.{index}.conv'] = f'{group}.{place}'
        layers[f'transformation.{index}.bn'] = f'{group}.{place + 1}'
    return {
        re.escape(f'backbone.module.blocks.3.{ours}'): theirs for ours, theirs in layers.items()
    }


def _read(weights: Weights, frames: int | None) -> Network:
    depth, classes = resnet_depth(weights), size(weights, 'new_fc.weight', 0, 174)
    chosen = frames or 8
    remark = f'clips of {chosen} frames are assumed: nothing tells; --num-segments does'
    return Network(
        tsm_settings(depth, classes, chosen),
        f'TSM-ResNet-{depth}, {chosen} frames, {classes} classes, MotionSqueeze',
        '' if frames else remark,
    )


KIND = Kind(
    mark=r'flow_refinement\.',
    configs=tuple(
        f'rivals/sthv1/msnet_{network}.py' for network in ('r50_8f', 'r50_16f', 'r18_8f')
    ),
    layers={**_layers(), **RESNET},
    read=_read,
    unused=r'bn2\..*',
)
