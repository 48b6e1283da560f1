# TimeSformer-HR (divided attention, 16 frames of 448x448) from ImageNet; the rest as in
# mmaction2's configs for 8 frames of 224x224.
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='ResizedTimeSformer',
        pretrained='https://download.openmmlab.com/mmaction/recognition/timesformer/'
        'vit_base_patch16_224.pth',
        num_frames=16,
        img_size=448,
        patch_size=16,
        embed_dims=768,
        in_channels=3,
        dropout_ratio=0.,
        transformer_layers=None,
        attention_type='divided_space_time',
        norm_cfg=dict(type='LN', eps=1e-6)),
    cls_head=dict(
        type='TimeSformerHead',
        in_channels=768,
        num_classes=174,
        average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[127.5, 127.5, 127.5],
        std=[127.5, 127.5, 127.5],
        format_shape='NCTHW'))
