"""RSANet: github.com/KimManjin/RSA, commit c66d7be.

``module.base_model.<torchvision's name>`` with an axis of length 1 for time, the attention as
``conv2.``, and ``module.new_fc``, a 1x1 ``Conv1d``; networks without dropout have
``base_model.fc1`` instead.
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


def _type(weights: Weights, basic: str, relational: str) -> str:
    """The code's word for a sum, by the weights of its terms."""
    if not any(name.endswith(f'.conv2.{relational}.weight') for name in weights):
        return 'V'
    return 'VplusR' if any(name.endswith(f'.conv2.{basic}') for name in weights) else 'R'


def _read(weights: Weights, frames: int | None) -> Network:
    depth, classes = resnet_depth(weights), size(weights, 'new_fc.weight', 0, 174)
    settings = segments_settings('RSANet', depth, classes, frames)
    types = {
        'model.backbone.kernel_type': _type(weights, 'P1', 'H1'),
        'model.backbone.feat_type': _type(weights, 'I', 'G'),
    }
    settings.update({key: value for key, value in types.items() if value != 'VplusR'})
    return Network(settings, f'RSANet-{depth}, {frames} frames, {classes} classes')


KIND = Kind(
    mark=r'\.conv2\.H2\.',
    configs=('rivals/sthv1/rsanet_8f.py', 'rivals/sthv1/rsanet_16f.py'),
    layers=FRAME_RESNET,
    read=_read,
)
