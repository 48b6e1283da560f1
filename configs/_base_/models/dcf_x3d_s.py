# X3D-S of DCF Table 7 with DCF after stages 2-4 (section 3.3): the channels are halved, K = 5,
# L = 2 and L = 1 at the last stage. The head is X3D's own (432 -> 2048 -> classes).
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='MotionBackbone',
        backbone=dict(type='X3D', gamma_w=1, gamma_b=2.25, gamma_d=2.2),
        module=dict(type='DCF', reduction=2),
        stages=(2, 3, 4)),
    cls_head=dict(
        type='X3DHead',
        in_channels=432,
        num_classes=174,
        spatial_type='avg',
        dropout_ratio=0.5,
        average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[114.75, 114.75, 114.75],
        std=[57.38, 57.38, 57.38],
        format_shape='NCTHW'))
