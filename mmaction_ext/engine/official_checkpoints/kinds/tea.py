"""TEA: github.com/Phoenix1327/tea-action-recognition, commit f59e2f8.

``module.base_model.<timm's name in a Res2Net>``, and in each block ``me.`` and ``shifts.``;
``module.new_fc``. No file was released: whatever there is, somebody trained with the code.
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

#: Layers of ``SqueezedFrames`` and what expands them, and their names in a file.
SQUEEZED = {
    r'reduce\.conv': 'conv1',
    r'reduce\.bn': 'bn1',
    r'transform\.conv': 'conv2',
    r'expand\.conv': 'conv3',
    r'expand\.bn': 'bn3',
}
_BLOCK = r'backbone\.(layer\d\.\d+)\.'


def _read(weights: Weights, frames: int | None) -> Network:
    depth, classes = resnet_depth(weights), size(weights, 'new_fc.weight', 0, 174)
    settings = segments_settings('TEA', depth, classes, frames)
    return Network(
        {**settings, 'model.backbone.pretrained': f'timm.res2net{depth}_26w_4s.in1k'},
        f'TEA-{depth}, {frames} frames, {classes} classes',
    )


KIND = Kind(
    mark=r'\.shifts\.',
    configs=tuple(f'rivals/sthv1/tea_{frames}f.py' for frames in (8, 16)),
    layers={
        **{_BLOCK + rf'me\.{ours}': rf'\1.me.{theirs}' for ours, theirs in SQUEEZED.items()},
        _BLOCK + r'shifts\.(\d)': r'\1.shifts.\2.conv',
        **FRAME_RESNET,
    },
    read=_read,
)
