"""CGD: github.com/HolmesShuan/Compact-Global-Descriptor, commit bdc0edd, a network for images.

``module.<torchvision's name in a ResNet>``, and in each block ``attention.{w0,w1,w2,bias0,bias1,
bias2}``; the classifier is ``fc``.
"""

from mmaction_ext.engine.official_checkpoints.kind import (
    FRAME_RESNET,
    Kind,
    Network,
    Weights,
    refuse_frames,
    resnet_depth,
    size,
)


def _read(weights: Weights, frames: int | None) -> Network:
    refuse_frames('CGD', frames)
    depth, classes = resnet_depth(weights), size(weights, 'fc.weight', 0, 1000)
    return Network(
        {
            'model.backbone.depth': depth,
            'model.backbone.over': 'frame',
            'model.cls_head.num_classes': classes,
        },
        f'ResNet-{depth} with CGD, {classes} classes',
    )


KIND = Kind(
    mark=r'\.attention\.w0',
    configs=('kpsem/table1_mini_kinetics/res50_cgd.py',),
    layers={**FRAME_RESNET, r'cls_head\.fc_cls': 'fc'},
    read=_read,
)
