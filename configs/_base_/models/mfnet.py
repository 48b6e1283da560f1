# MFNet (3-D multi-fiber network) with the classifier of Kinetics-400, the network that KPSEM
# starts from. Its released code (github.com/cypw/PyTorch-MFNet) subtracts the RGB mean
# (124, 117, 104) and multiplies by 0.0167.
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='MotionBackbone',
        backbone=dict(type='MFNet')),
    cls_head=dict(
        type='I3DHead',
        in_channels=768,
        num_classes=400,
        spatial_type='avg',
        dropout_ratio=0.5,
        average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[124.0, 117.0, 104.0],
        std=[1 / 0.0167] * 3,
        format_shape='NCTHW'))
