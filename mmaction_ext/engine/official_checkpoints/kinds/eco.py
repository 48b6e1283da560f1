"""ECO and ECO-Lite: github.com/mzolfaghari/ECO-pytorch, commit b175e7c.

``module.base_model.<name of a Caffe layer>``; the classifier is ``module.new_fc``, or of networks
without dropout before it ``base_model.fc_final``.
"""

from mmaction_ext.engine.official_checkpoints.kind import (
    Kind,
    Network,
    Weights,
    refuse_frames,
    size,
)


def _read(weights: Weights, frames: int | None) -> Network:
    refuse_frames('ECO', frames)
    full = any(name.startswith('inception_4a') for name in weights)
    classes = size(weights, 'new_fc.weight', 0, 400)
    return Network(
        {
            'model.backbone.full': full,
            'model.cls_head.in_channels': 1536 if full else 512,
            'model.cls_head.dropout_ratio': 0.0 if full else 0.3,
            'model.cls_head.num_classes': classes,
        },
        f'{"ECO" if full else "ECO-Lite"}, {classes} classes',
    )


KIND = Kind(
    mark=r'^res5b_2\.',
    configs=('kpsem/pretraining/eco_lite_k400.py', 'kpsem/pretraining/eco_full_k400.py'),
    layers={r'cls_head\.fc_cls': 'new_fc', r'backbone\.(.*)': r'\1'},
    read=_read,
)
