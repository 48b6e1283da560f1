# R(2+1)D-50 of DCF Table 6 at an eighth of its width, from scratch, with DCF as in
# dcf_resnet10_thin.py but for the channels, which are cut to a quarter (section 3.3).
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='MotionBackbone',
        backbone=dict(type='R2Plus1D', depth=50, base_channels=8),
        module=dict(type='DCF', reduction=4, zero_init=False),
        stages=(2, 3, 4)),
    cls_head=dict(
        type='I3DHead',
        in_channels=256,
        num_classes=12,
        spatial_type='avg',
        dropout_ratio=0.0,
        average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[127.5, 127.5, 127.5],
        std=[64.0, 64.0, 64.0],
        format_shape='NCTHW'))
