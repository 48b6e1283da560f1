# The ResNet-10 at a quarter of its width, run on each frame (TSN), with KPSEM after stage 2, whose
# maps, 16x16 for frames of 64x64, are nearest to the 14x14 of the paper's conv4. The module is that
# of the paper, but for its width: 16 channels, so that its 16 x 7 values stand beside the network's
# 128 as the paper's 672 beside 768.
_base_ = './dcf_resnet10_thin.py'
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
            type='TSNHead',
            in_channels=128,
            num_classes=12,
            spatial_type='avg',
            consensus=dict(type='AvgConsensus', dim=1),
            dropout_ratio=0.0,
            init_std=0.01,
            average_clips='prob')))
