_base_ = [
    '../../../_base_/models/cross_x3d_s.py',
    '../../../_base_/datasets/cross_sthv1_13f_160.py',
    '../../../_base_/schedules/cross_sthv1.py',
    '../../../_base_/default_runtime.py',
]
model = dict(
    backbone=dict(
        module=dict(type='TCM', num_segments=13),
        stages=(3, )))
