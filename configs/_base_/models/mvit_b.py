# MViT-B 16x4 of the first MViT paper, written with mmaction2's class for the second: no relative
# positions, no residual pooling, widths that grow behind the attention. One table of absolute
# positions stands where the paper has one for space and one for time (2.1 M parameters more).
model = dict(
    type='Recognizer3D',
    backbone=dict(
        type='MViT',
        arch=dict(embed_dims=96, num_layers=16, num_heads=1, downscale_indices=[1, 3, 14]),
        temporal_size=16,
        drop_path_rate=0.2,
        use_abs_pos_embed=True,
        rel_pos_embed=False,
        rel_pos_zero_init=True,  # or mmaction2 draws values for what is not there
        residual_pooling=False,
        dim_mul_in_attention=False),
    cls_head=dict(
        type='MViTHead',
        in_channels=768,
        num_classes=400,
        label_smooth_eps=0.1,
        average_clips='prob'),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[114.75, 114.75, 114.75],
        std=[57.375, 57.375, 57.375],
        format_shape='NCTHW'))
