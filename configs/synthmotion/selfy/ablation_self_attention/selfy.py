_base_ = [
    '../../../_base_/models/selfy_tsm_r50_thin.py',
    '../../../_base_/datasets/synthmotion.py',
    '../../../_base_/schedules/synthmotion_6e.py',
    '../../../_base_/default_runtime.py',
]
