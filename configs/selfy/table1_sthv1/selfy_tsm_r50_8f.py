_base_ = [
    '../../_base_/models/selfy_tsm_r50.py',
    '../../_base_/datasets/selfy_sthv1_8f_224.py',
    '../../_base_/schedules/selfy_tsm_something.py',
    '../../_base_/default_runtime.py',
]
