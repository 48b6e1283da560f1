_base_ = [
    '../../../_base_/models/cross_tsm_r50.py',
    '../../../_base_/datasets/cross_sthv1_8f_224_2d.py',
    '../../../_base_/schedules/cross_sthv1.py',
    '../../../_base_/default_runtime.py',
]
model = dict(
    backbone=dict(
        module=dict(type='DCF', reduction=4),
        stages=(2, 3, 4)))
