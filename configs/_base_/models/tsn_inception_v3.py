# TSN with timm's Inception-V3 from ImageNet; timm fetches the weights when the network is built.
model = dict(
    type='Recognizer2D',
    backbone=dict(
        type='MotionBackbone',
        backbone=dict(type='timm.inception_v3.tv_in1k', pretrained=True)),
    cls_head=dict(
        type='TSNHead',
        in_channels=2048,
        num_classes=400,
        spatial_type='avg',
        consensus=dict(type='AvgConsensus', dim=1),
        dropout_ratio=0.4,
        init_std=0.01,
        average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[127.5, 127.5, 127.5],
        std=[127.5, 127.5, 127.5],
        format_shape='NCHW'))
