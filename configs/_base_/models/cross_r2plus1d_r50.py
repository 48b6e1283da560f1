# R(2+1)D-50 of DCF Table 6, from ImageNet, for every module of the cross table.
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='MotionBackbone',
        backbone=dict(type='R2Plus1D', depth=50, pretrained='torchvision://resnet50')),
    cls_head=dict(
        type='I3DHead',
        in_channels=2048,
        num_classes=174,
        spatial_type='avg',
        dropout_ratio=0.5,
        average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCTHW'))
