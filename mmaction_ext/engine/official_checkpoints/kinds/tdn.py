"""TDN: github.com/MCG-NJU/TDN, commit a7c7e9b.

``module.base_model.<name>``: torchvision's names with ``layer1_bak`` for ``layer1`` and so on,
``resnext_layer1`` and ``conv1_5`` of the short-term module, in each block of layers 2 to 4
``mse.`` and ``shift.``; ``module.new_fc``. ``conv1_temp`` is never run.
"""

from mmaction_ext.engine.official_checkpoints.kind import (
    Kind,
    Network,
    Weights,
    resnet_depth,
    segments_settings,
    size,
)
from mmaction_ext.engine.official_checkpoints.kinds.tea import SQUEEZED

_UNUSED = 'conv1_temp'
_LONG_TERM = {
    **SQUEEZED,
    r'coarse\.conv': 'conv3_smallscale2',
    r'coarse\.bn': 'bn3_smallscale2',
    r'fine\.conv': 'conv3_smallscale4',
    r'fine\.bn': 'bn3_smallscale4',
}
_BLOCK = r'backbone\.(layer\d)\.(\d+)\.'


def _read(weights: Weights, frames: int | None) -> Network:
    plain = {name.replace('_bak.', '.'): tensor for name, tensor in weights.items()}
    depth, classes = resnet_depth(plain), size(weights, 'new_fc.weight', 0, 174)
    settings = segments_settings('TDN', depth, classes, frames, channels=15)
    dropped = f'{_UNUSED}.weight' in weights
    return Network(
        {**settings, 'model.backbone.pretrained': f'torchvision://resnet{depth}'},
        f'TDN-R{depth}, {frames} segments of 5 frames, {classes} classes',
        f'{_UNUSED}, which the released code never runs, is left out' if dropped else '',
    )


KIND = Kind(
    mark=r'resnext_layer1\.',
    configs=(
        'dcf/table5_k400/tdn_r50_16f.py',
        *(f'rivals/sthv1/tdn_r{depth}_{frames}f.py' for depth in (50, 101) for frames in (8, 16)),
    ),
    layers={
        **{
            _BLOCK + rf'motion\.ltdm\.{ours}': rf'\1_bak.\2.mse.{theirs}'
            for ours, theirs in _LONG_TERM.items()
        },
        _BLOCK + r'motion\.conv': r'\1_bak.\2.shift.conv',
        _BLOCK + r'(.*)': r'\1_bak.\2.\3',
        r'backbone\.short_term\.conv': 'conv1_5.0',
        r'backbone\.short_term\.bn': 'conv1_5.1',
        r'backbone\.short_term\.layer1\.(.*)': r'resnext_layer1.\1',
        r'backbone\.(conv1|bn1)': r'\1',
        r'cls_head\.fc_cls': 'new_fc',
    },
    read=_read,
    unused=rf'{_UNUSED}\..*',
)
