_base_ = [
    '../../../_base_/models/cross_r2plus1d_r50.py',
    '../../../_base_/datasets/cross_sthv1_8f_224.py',
    '../../../_base_/schedules/cross_sthv1.py',
    '../../../_base_/default_runtime.py',
]
model = dict(
    backbone=dict(
        module=dict(type='TCM', num_segments=8),
        stages=(3, )))
