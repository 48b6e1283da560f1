# S3D as in torchvision, from its weights for Kinetics-400.
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='S3D', pretrained='https://download.pytorch.org/models/s3d-d76dad2f.pth'),
    cls_head=dict(
        type='I3DHead',
        in_channels=1024,
        num_classes=400,
        spatial_type='avg',
        dropout_ratio=0.5,
        init_std=0.01,
        average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[110.20, 100.64, 96.00],
        std=[58.14, 56.46, 55.33],
        format_shape='NCTHW'))
