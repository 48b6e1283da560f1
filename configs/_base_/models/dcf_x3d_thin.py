# X3D at a third of X3D-S's width and under half its depth (8 channels; 1, 2, 5 and 3 blocks), with
# DCF as in dcf_resnet10_thin.py.
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='MotionBackbone',
        backbone=dict(type='X3D', gamma_w=1 / 3, gamma_b=2.25, gamma_d=1),
        module=dict(type='DCF', reduction=2, zero_init=False),
        stages=(2, 3, 4)),
    cls_head=dict(
        type='X3DHead',
        in_channels=144,
        num_classes=12,
        spatial_type='avg',
        dropout_ratio=0.0,
        average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[127.5, 127.5, 127.5],
        std=[64.0, 64.0, 64.0],
        format_shape='NCTHW'))
