# A ResNet-10 at a quarter of its width, run on each frame (TSN), with DCF after stages 2-4:
# thin enough to train on two CPU cores. The hyper-parameters of DCF are those of X3D-S, but for
# zero_init: a short schedule from scratch has no initial behaviour to preserve.
model = dict(
    type='Recognizer2D',
    backbone=dict(
        type='MotionBackbone',
        backbone=dict(type='timm.resnet10t', channels=(16, 32, 64, 128), stem_width=8),
        module=dict(type='DCF', reduction=2, zero_init=False),
        stages=(2, 3, 4),
        num_segments=8),
    cls_head=dict(
        type='TSNHead',
        in_channels=128,
        num_classes=12,
        spatial_type='avg',
        consensus=dict(type='AvgConsensus', dim=1),
        dropout_ratio=0.0,
        init_std=0.01,
        average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[127.5, 127.5, 127.5],
        std=[64.0, 64.0, 64.0],
        format_shape='NCHW'))
