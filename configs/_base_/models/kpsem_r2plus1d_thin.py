# The thin R(2+1)D-50 with KPSEM as in kpsem_resnet10_thin.py: after stage 2, whose maps are 16x16
# here too, with 16 x 7 values beside the network's 256.
_base_ = './dcf_r2plus1d_thin.py'
model = dict(
    backbone=dict(
        module=dict(_delete_=True, type='KPSEM', num_regions=4, num_sets=8,
                    embedding_channels=24, out_channels=16),
        stages=(2, )),
    cls_head=dict(
        _delete_=True,
        type='ConcatHead',
        branch_channels=112,
        head=dict(
            type='I3DHead',
            in_channels=256,
            num_classes=12,
            spatial_type='avg',
            dropout_ratio=0.0,
            average_clips='prob')))
