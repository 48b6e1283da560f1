_base_ = [
    '../../_base_/models/dcf_r2plus1d_r50.py',
    '../../_base_/datasets/dcf_sthv1_16f_224.py',
    '../../_base_/schedules/dcf_r2plus1d_sth.py',
    '../../_base_/default_runtime.py',
]
