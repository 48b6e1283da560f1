"""MFNet, which KPSEM starts from: github.com/cypw/PyTorch-MFNet, commit 4d0f5a9.

``module.<name>``.
"""

import re

from mmaction_ext.engine.official_checkpoints.kind import (
    Kind,
    Network,
    Weights,
    refuse_frames,
    size,
)


def _layers() -> dict[str, str]:
    layers = {
        'cls_head.fc_cls': 'classifier',
        'backbone.backbone.stage1.conv': 'conv1.conv',
        'backbone.backbone.stage1.bn': 'conv1.bn',
        'backbone.backbone.tail.bn': 'tail.bn',
    }
    parts = {
        'multiplexer_in': 'conv_i1',
        'multiplexer_out': 'conv_i2',
        'conv1': 'conv_m1',
        'conv2': 'conv_m2',
        'shortcut': 'conv_w1',
    }
    for stage, depth in ((2, 3), (3, 4), (4, 6), (5, 3)):
        for unit in range(depth):
            for ours, theirs in parts.items():
                for layer in ('bn', 'conv'):
                    layers[f'backbone.backbone.stage{stage}.{unit}.{ours}.{layer}'] = (
                        f'conv{stage}.B{unit + 1:02d}.{theirs}.{layer}'
                    )
    return {re.escape(ours): theirs for ours, theirs in layers.items()}


def _read(weights: Weights, frames: int | None) -> Network:
    refuse_frames('MFNet', frames)
    classes = size(weights, 'classifier.weight', 0, 400)
    return Network({'model.cls_head.num_classes': classes}, f'MFNet, {classes} classes')


KIND = Kind(
    mark=r'\.conv_i1\.',
    configs=('kpsem/pretraining/mfnet_k400.py',),
    layers=_layers(),
    read=_read,
)
