"""CGNL: github.com/KaiyuYue/cgnl-network.pytorch, commit 33e348b, a network for images.

``module.<torchvision's name in a ResNet-50>``. The block is ``layer3.5``, and what torchvision
calls ``layer3.5`` is ``layer3.6``; the classifier is ``fc``.
"""

from mmaction_ext.engine.official_checkpoints.kind import (
    RESNET,
    Kind,
    Network,
    Weights,
    refuse_frames,
    size,
)

_LAST = r'backbone\.backbone\.layer3\.5'


def _read(weights: Weights, frames: int | None) -> Network:
    refuse_frames('CGNL', frames)
    classes = size(weights, 'fc.weight', 0, 200)
    groups = size(weights, 'layer3.5.t.weight', 0, 512) // size(
        weights, 'layer3.5.z.weight', 1, 64
    )
    return Network(
        {
            'model.backbone.module.groups': groups,
            'model.backbone.module.over': 'frame',
            'model.cls_head.num_classes': classes,
        },
        f'ResNet-50 with CGNL in {groups} groups, {classes} classes',
        'the kernel is taken to be the dot product: CGNLx has the same names and shapes '
        '(model.backbone.module.order=3)',
    )


KIND = Kind(
    mark=r'^layer3\.5\.gn\.',
    configs=('kpsem/table1_mini_kinetics/res50_cgnl.py',),
    layers={
        r'backbone\.module\.blocks\.4\.(t|p|g|z|gn)': r'layer3.5.\1',
        _LAST + r'\.conv(\d)\.conv': r'layer3.6.conv\1',
        _LAST + r'\.conv(\d)\.bn': r'layer3.6.bn\1',
        **RESNET,
        r'cls_head\.fc_cls': 'fc',
    },
    read=_read,
)
