_base_ = [
    '../../../_base_/models/dcf_r2plus1d_thin.py',
    '../../../_base_/datasets/dcf_synthmotion_3d.py',
    '../../../_base_/schedules/synthmotion_6e.py',
    '../../../_base_/default_runtime.py',
]
model = dict(
    backbone=dict(
        module=dict(_delete_=True, type='TCM', num_segments=8),
        stages=(3, )))
