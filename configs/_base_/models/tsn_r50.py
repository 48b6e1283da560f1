# TSN with ResNet-50 from ImageNet, as in mmaction2's config for Something-Something V2:
# the weights are torchvision's second ones.
model = dict(
    type='Recognizer2D',
    backbone=dict(
        type='ResNet', depth=50, norm_eval=False,
        pretrained='https://download.pytorch.org/models/resnet50-11ad3fa6.pth'),
    cls_head=dict(
        type='TSNHead',
        in_channels=2048,
        num_classes=174,
        spatial_type='avg',
        consensus=dict(type='AvgConsensus', dim=1),
        dropout_ratio=0.5,
        init_std=0.01,
        average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCHW'))
