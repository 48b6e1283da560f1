"""TCM: github.com/yzfly/TCM, commit 34685f7.

``module.base_model.<torchvision's name in a ResNet>``, the block as ``tcm_layer.`` beside it, and
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


def _layers() -> dict[str, str]:
    layers = {'mtdm.conv': 'mtdm.chnl_reduction.0', 'mtdm.bn': 'mtdm.chnl_reduction.1'}
    # each convolution stands in a Sequential before its normalisation and its ReLU
    places = [
        *(('conv1', place) for place in (0, 3, 6, 9)),
        *((group, place) for group in ('conv2', 'conv3', 'conv4') for place in (0, 3)),
    ]
    for index, (group, place) in enumerate(places):
        layers[f'tam.transformation.{index}.conv'] = f'tam.{group}.{place}'
        layers[f'tam.transformation.{index}.bn'] = f'tam.{group}.{place + 1}'
    layers['tam.gate'] = 'tam.ETA.conv'
    return {
        re.escape(f'backbone.module.blocks.3.{ours}'): f'tcm_layer.{theirs}'
        for ours, theirs in layers.items()
    }


def _read(weights: Weights, frames: int | None) -> Network:
    kernel = size(weights, 'tcm_layer.tam.ETA.conv.weight', 2, 3)
    if kernel % 2 == 0 or kernel > 7:
        raise InputError(
            f'the gate of TCM has a kernel of {kernel}: the released code makes odd '
            'ones, 7 for 64 frames'
        )
    # the kernel is log2 of the frames, rounded down, then up to an odd number
    fewest, most = max(2, 2 ** (kernel - 1)), 2 ** (kernel + 1) - 1
    if frames is not None and not fewest <= frames <= most:
        raise InputError(
            f'--num-segments {frames} does not go with the gate of TCM: a kernel of '
            f'{kernel} is that of {fewest} to {most} frames'
        )
    chosen = frames or {3: 8}.get(kernel, fewest)
    remark = (
        f'clips of {chosen} frames are assumed: a gate of {kernel} is that of {fewest} to '
        f'{most}; --num-segments tells'
    )
    depth, classes = resnet_depth(weights), size(weights, 'new_fc.weight', 0, 174)
    return Network(
        {
            **tsm_settings(depth, classes, chosen),
            'model.backbone.module.num_segments': chosen,
        },
        f'TSM-ResNet-{depth}, {chosen} frames, {classes} classes, TCM with a gate of {kernel}',
        '' if frames else remark,
    )


KIND = Kind(
    mark=r'tcm_layer\.',
    configs=('tcm/table_sthv1/tcm_r50_8f.py', 'tcm/table_sthv1/tcm_r50_16f.py'),
    layers={**_layers(), **RESNET},
    read=_read,
    block='tcm_layer.',
)
