# KPSEM after res3, as in its paper's ResNet (Table 2d): 48 channels of 13 frames are cut to a
# quarter, 12 x 12 values.
_base_ = './cross_x3d_s.py'
model = dict(
    backbone=dict(
        module=dict(
            type='KPSEM', num_regions=4, num_sets=8, embedding_channels=24,
            out_channels=12),
        stages=(3, )),
    cls_head=dict(
        _delete_=True,
        type='ConcatHead',
        branch_channels=144,
        head=dict(
            type='X3DHead',
            in_channels=432,
            num_classes=174,
            spatial_type='avg',
            dropout_ratio=0.5,
            average_clips='prob')))
