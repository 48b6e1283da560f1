_base_ = [
    '../../_base_/models/trn_r50.py',
    '../../_base_/datasets/tsn_sthv2_8f_224.py',
    '../../_base_/schedules/trn_sth.py',
    '../../_base_/default_runtime.py',
]
