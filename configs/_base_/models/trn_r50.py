# TRN-Multiscale with ResNet-50 from ImageNet, as in mmaction2's configs.
model = dict(
    type='Recognizer2D',
    backbone=dict(
        type='ResNet', depth=50, norm_eval=False, partial_bn=True,
        pretrained='torchvision://resnet50'),
    cls_head=dict(
        type='TRNHead',
        in_channels=2048,
        num_classes=174,
        spatial_type='avg',
        num_segments=8,
        relation_type='TRNMultiScale',
        hidden_dim=256,
        dropout_ratio=0.8,
        init_std=0.001,
        average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCHW'))
