_base_ = [
    '../../_base_/models/slowfast_r50.py',
    '../../_base_/datasets/slowfast_k400_32f_224.py',
    '../../_base_/schedules/slowfast_k400.py',
    '../../_base_/default_runtime.py',
]
