_base_ = [
    '../../_base_/models/tcm_tsm_r50.py',
    '../../_base_/datasets/tcm_sthv1_8f_224.py',
    '../../_base_/schedules/tcm_tsm_something.py',
    '../../_base_/default_runtime.py',
]
