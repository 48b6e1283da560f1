# R3D-50 with KPSEM after res3 (KPSEM Table 2d): 512 channels are cut to a quarter, so that 16
# frames give 128 x 15 = 1920 values. The paper states neither the cut nor the frames at res3.
_base_ = './r3d_r50.py'
model = dict(
    backbone=dict(
        module=dict(type='KPSEM', num_regions=4, num_sets=8, embedding_channels=24,
                    out_channels=128),
        stages=(3, )),
    cls_head=dict(
        _delete_=True,
        type='ConcatHead',
        branch_channels=1920,
        head=dict(
            type='I3DHead',
            in_channels=2048,
            num_classes=51,
            spatial_type='avg',
            dropout_ratio=0.5,
            average_clips='prob')))
