# TANet (TAM) with ResNet-50 from ImageNet, 8 frames, as in mmaction2's configs.
model = dict(
    type='Recognizer2D',
    backbone=dict(
        type='ResNetTAM', depth=50, num_segments=8, pretrained='torchvision://resnet50'),
    cls_head=dict(
        type='TSMHead',
        in_channels=2048,
        num_classes=174,
        spatial_type='avg',
        num_segments=8,
        consensus=dict(type='AvgConsensus', dim=1),
        dropout_ratio=0.6,
        init_std=0.001,
        average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCHW'))
