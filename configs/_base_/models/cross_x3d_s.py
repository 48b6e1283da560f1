# X3D-S, from Kinetics-400 (the published weights as mmaction2 has them), for every module of the
# cross table. There are none for ImageNet.
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='MotionBackbone',
        backbone=dict(type='X3D', gamma_w=1, gamma_b=2.25, gamma_d=2.2),
        init_cfg=dict(
            type='Pretrained',
            checkpoint='https://download.openmmlab.com/mmaction/v1.0/recognition/x3d/facebook/'
            'x3d_s_13x6x1_facebook-kinetics400-rgb_20201027-623825a0.pth')),
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
