"""SmallBigNet: github.com/xhl-video/SmallBigNet, commit 9e6d9ea.

``module.<torchvision's name>``, with an axis of length 1 for time, ``big1`` to ``big3`` in each
block of layers 2 to 4, and ``fc``. No file was released: whatever there is, somebody trained with
the code.
"""

from mmaction_ext.engine.official_checkpoints.kind import (
    FRAME_RESNET,
    Kind,
    Network,
    Weights,
    resnet_depth,
    segments_settings,
    size,
)

_BLOCK = r'backbone\.(layer\d\.\d+)\.'


def _read(weights: Weights, frames: int | None) -> Network:
    depth, classes = resnet_depth(weights), size(weights, 'fc.weight', 0, 174)
    settings = segments_settings('SmallBigNet', depth, classes, frames)
    del settings['model.cls_head.num_segments']  # which its head does not ask for
    extra = any('.big4_1.' in name for name in weights)
    more = {
        'model.backbone.extra': extra,
        'model.backbone.pretrained': f'torchvision://resnet{depth}',
    }
    name = f'SmallBigNet-{depth}{", extra" if extra else ""}'
    return Network({**settings, **more}, f'{name}, {frames} frames, {classes} classes')


KIND = Kind(
    mark=r'\.big1\.1\.',
    configs=('rivals/sthv1/smallbig_8f.py', 'rivals/sthv1/smallbig_16f.py'),
    layers={
        _BLOCK + r'big_bn(\d)': r'\1.big\2.1',
        _BLOCK + r'extra\.reduce': r'\1.big4_1',
        _BLOCK + r'extra\.expand': r'\1.big4_2.0',
        _BLOCK + r'extra\.bn': r'\1.big4_2.1',
        **FRAME_RESNET,
        r'cls_head\.fc_cls': 'fc',
    },
    read=_read,
)
