"""CT-Net: github.com/Andy1621/CT-Net, commit 83badd6.

``module.base_model.<name>``, torchvision's but for the blocks with channel tensorization, and
``module.new_fc``. Each layer may have two counters beside: before it trains, the code counts its
multiply-adds by a library (thop) that leaves them in the network; it passes over them in loading.
"""

import re

from mmaction_ext.engine.official_checkpoints.kind import (
    FRAME_RESNET,
    Kind,
    Network,
    Weights,
    size,
)
from mmaction_ext.errors import InputError

_BLOCK = r'backbone\.(layer\d\.\d+)\.'


def _layers() -> dict[str, str]:
    """Layers of the blocks; what follows a convolution stands behind it in a ``Sequential``."""
    layers = {'fusion': 'fusion'}
    for ours, space, side, time in (
        ('by_row', '1_x', 'x', '1_z'),
        ('by_column', '2_y', 'y', '2_z'),
    ):
        layers[f'{ours}.space'], layers[f'{ours}.time'] = f'conv{space}', f'conv{time}'
        for gate in ('space', 'time', 'channel'):
            for layer in (0, 1):
                layers[f'{ours}.gates.{gate}.{layer}'] = f'{gate[0]}{side}_attention.fc{layer + 1}'
    named = {rf'conv2\.{re.escape(ours)}': f'conv2.{theirs}' for ours, theirs in layers.items()}
    return {
        rf'{_BLOCK}{ours}\.{part}': rf'\1.{theirs}.{place}'
        for ours, theirs in {**named, 'conv1': 'conv1', 'conv3': 'conv3'}.items()
        for place, part in enumerate(('conv', 'bn'))
    }


def _read(weights: Weights, frames: int | None) -> Network:
    if frames is None:
        raise InputError(
            'CT-Net has the same weights for clips of any length: --num-segments 8 or 16 tells '
            'which this file was trained with'
        )
    blocks = {name.split('.conv2.fusion.')[0] for name in weights if '.conv2.fusion.' in name}
    if len(blocks) not in (3, 4, 5, 7, 12):
        raise InputError(
            f'{len(blocks)} blocks have channel tensorization: the released code makes 3, 4, 5, '
            '7 or 12'
        )
    classes = size(weights, 'new_fc.weight', 0, 174)
    return Network(
        {
            'input_shape': (3, frames, 256, 256),
            'model.backbone.num_segments': frames,
            'model.backbone.num_total': len(blocks),
            'model.cls_head.num_classes': classes,
            'model.cls_head.num_segments': frames,
        },
        f'CT-Net-ResNet-50, {len(blocks)} blocks, {frames} frames, {classes} classes',
    )


KIND = Kind(
    mark=r'\.cx_attention\.',
    configs=('rivals/sthv1/ctnet_8f.py', 'rivals/sthv1/ctnet_16f.py'),
    layers={**_layers(), **FRAME_RESNET},
    read=_read,
    unused=r'(.*\.)?total_(ops|params)',
)
