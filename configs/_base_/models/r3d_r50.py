# R3D-50 of KPSEM section 4.4 (Table 2d): ResNet-50 with 1 x k x k kernels and no temporal stride,
# which the paper calls "initialised from ImageNet" and "simply aggregates the input frames".
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='MotionBackbone',
        backbone=dict(
            type='ResNet3d',
            depth=50,
            pretrained=None,
            inflate=(0, 0, 0, 0),
            conv1_kernel=(1, 7, 7),
            conv1_stride_t=1,
            pool1_stride_t=1,
            with_pool2=False,
            norm_eval=False)),
    cls_head=dict(
        type='I3DHead',
        in_channels=2048,
        num_classes=51,
        spatial_type='avg',
        dropout_ratio=0.5,
        average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCTHW'))
