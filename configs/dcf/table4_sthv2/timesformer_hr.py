_base_ = [
    '../../_base_/models/timesformer_hr.py',
    '../../_base_/datasets/timesformer_sthv2_16f_448.py',
    '../../_base_/schedules/timesformer_sth.py',
    '../../_base_/default_runtime.py',
]
