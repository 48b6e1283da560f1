"""MARS and its RGB stream: github.com/craston/MARS, commit d5ffb01.

``module.<torchvision's name in a ResNet>``; the classifier is ``fc``. What tells a file from that
of an image network is the first kernel, 7 x 7 x 7.
"""

from mmaction_ext.engine.official_checkpoints.kind import (
    Kind,
    Network,
    Weights,
    refuse_frames,
    size,
)
from mmaction_ext.errors import InputError


def _read(weights: Weights, frames: int | None) -> Network:
    refuse_frames('MARS', frames)
    if size(weights, 'conv1.weight', 1, 3) == 2:
        raise InputError('the file is the flow stream of MARS: only networks of RGB run here')
    classes = size(weights, 'fc.weight', 0, 400)
    return Network({'model.cls_head.num_classes': classes}, f'MARS, RGB, {classes} classes')


KIND = Kind(
    mark=r'x7x7x7$',
    configs=('kpsem/pretraining/mars_k400.py',),
    layers={r'cls_head\.fc_cls': 'fc', r'backbone\.(.*)': r'\1'},
    read=_read,
)
