_base_ = [
    '../../_base_/models/tsn_inception_v3.py',
    '../../_base_/datasets/tsn_k400_25f_299.py',
    '../../_base_/schedules/tsn_k400.py',
    '../../_base_/default_runtime.py',
]
