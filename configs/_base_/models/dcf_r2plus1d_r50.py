# R(2+1)D-50 of DCF Table 6 with DCF after stages 2-4 (section 3.3): the channels are reduced to a
# quarter, K = 5, L = 2 and L = 1 at the last stage. The image weights ("ImageNet", section 4.1)
# are fetched when training starts.
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='MotionBackbone',
        backbone=dict(type='R2Plus1D', depth=50, pretrained='torchvision://resnet50'),
        module=dict(type='DCF', reduction=4),
        stages=(2, 3, 4)),
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
