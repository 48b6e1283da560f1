# I3D-ResNet-50 of mmaction2 with its five non-local blocks (KPSEM Table 1, "I3D-NL").
_base_ = 'mmaction::_base_/models/i3d_r50.py'
model = dict(
    backbone=dict(
        non_local=((0, 0, 0), (0, 1, 0, 1), (0, 1, 0, 1, 0, 1), (0, 0, 0)),
        non_local_cfg=dict(
            sub_sample=True,
            use_scale=False,
            norm_cfg=dict(type='BN3d', requires_grad=True),
            mode='dot_product')))
