# SELFYNet-TSM-R50: one SELFY block after res3 of TSM-ResNet-50, L = 5, as in the released code
# (github.com/arunos728/SELFY). The head averages the frames' logits and starts as
# there.
model = dict(
    type='Recognizer2D',
    backbone=dict(
        type='MotionBackbone',
        backbone=dict(
            type='ResNetTSM',
            depth=50,
            num_segments=8,
            pretrained='torchvision://resnet50',
            pretrained2d=True),
        module=dict(type='SELFY', offsets=(-2, -1, 0, 1, 2)),
        stages=(3, ),
        num_segments=8),
    cls_head=dict(
        type='XavierTSMHead',
        in_channels=2048,
        num_classes=174,
        num_segments=8,
        spatial_type='avg',
        consensus=dict(type='AvgConsensus', dim=1),
        dropout_ratio=0.5,
        average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCHW'))
