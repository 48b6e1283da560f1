_base_ = [
    '../../../_base_/models/kpsem_r2plus1d_thin.py',
    '../../../_base_/datasets/dcf_synthmotion_3d.py',
    '../../../_base_/schedules/synthmotion_6e.py',
    '../../../_base_/default_runtime.py',
]
