# KPSEM after res3, as in its paper's ResNet (Table 2d): 512 channels of 8 frames are cut to a
# quarter, 128 x 7 values.
_base_ = './cross_r2plus1d_r50.py'
model = dict(
    backbone=dict(
        module=dict(
            type='KPSEM', num_regions=4, num_sets=8, embedding_channels=24,
            out_channels=128),
        stages=(3, )),
    cls_head=dict(
        _delete_=True,
        type='ConcatHead',
        branch_channels=896,
        head=dict(
            type='I3DHead',
            in_channels=2048,
            num_classes=174,
            spatial_type='avg',
            dropout_ratio=0.5,
            average_clips='prob')))
