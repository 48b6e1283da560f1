_base_ = [
    '../../../_base_/models/dcf_x3d_thin.py',
    '../../../_base_/datasets/dcf_synthmotion_3d.py',
    '../../../_base_/schedules/synthmotion_6e.py',
    '../../../_base_/default_runtime.py',
]
model = dict(
    backbone=dict(
        module=dict(
            _delete_=True, type='SELFY', offsets=(-2, -1, 0, 1, 2), zero_init=False),
        stages=(3, )))
