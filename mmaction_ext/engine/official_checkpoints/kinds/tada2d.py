"""TAda2D: github.com/alibaba-mmai-research/TAdaConv, commit 75b7839.

``backbone.<name>`` and ``head.out``, under the key ``model_state``.
"""

import re

from mmaction_ext.engine.official_checkpoints.kind import Kind, Network, Weights, size
from mmaction_ext.errors import InputError

#: of ResNet-101, whose first blocks are those of ResNet-50
_BLOCKS = (3, 4, 23, 3)


def _layers() -> dict[str, str]:
    layers = {
        'cls_head.fc_cls': 'head.out',
        'backbone.conv1': 'backbone.conv1.a',
        'backbone.bn1': 'backbone.conv1.a_bn',
    }
    parts = {
        'conv1': 'conv_branch.a',
        'bn1': 'conv_branch.a_bn',
        'conv2': 'conv_branch.b',
        **{f'conv2.route.{part}': f'conv_branch.b_rf.{part}' for part in ('g', 'a', 'bn', 'b')},
        'bn2': 'conv_branch.b_bn',
        'pooled_bn': 'conv_branch.b_avgpool_bn',
        'conv3': 'conv_branch.c',
        'bn3': 'conv_branch.c_bn',
        'downsample.0': 'short_cut',
        'downsample.1': 'short_cut_bn',
    }
    for layer, blocks in enumerate(_BLOCKS, start=1):
        for index in range(blocks):
            for ours, theirs in parts.items():
                layers[f'backbone.layer{layer}.{index}.{ours}'] = (
                    f'backbone.conv{layer + 1}.res_{index + 1}.{theirs}'
                )
    return {re.escape(ours): theirs for ours, theirs in layers.items()}


def _read(weights: Weights, frames: int | None) -> Network:
    if frames is None:
        raise InputError(
            'TAda2D has the same weights for clips of any length: --num-segments 8 or 16 tells '
            'which this file was trained with'
        )
    classes = size(weights, 'head.out.weight', 0, 174)
    depth = 101 if any('.conv4.res_7.' in name for name in weights) else 50
    remark = ''
    if classes == 400 and frames == 8:
        remark = 'the released 8 frames of Kinetics-400 lie 8 apart, those of the config 5'
    return Network(
        {
            'input_shape': (3, frames, 256, 256),
            'model.backbone.depth': depth,
            'model.backbone.pretrained': f'torchvision://resnet{depth}',
            'model.backbone.num_segments': frames,
            'model.cls_head.num_classes': classes,
        },
        f'TAda2D-ResNet-{depth}, {frames} frames, {classes} classes',
        remark,
    )


KIND = Kind(
    mark=r'\.b_rf\.',
    configs=(
        'rivals/sthv2/tada2d_8f.py',
        'rivals/sthv2/tada2d_16f.py',
        'dcf/table5_k400/tada2d.py',
    ),
    layers=_layers(),
    read=_read,
)
