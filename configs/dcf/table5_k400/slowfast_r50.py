_base_ = [
    '../../_base_/datasets/slowfast_k400_32f_224.py',
    '../../_base_/schedules/slowfast_k400.py',
    '../../_base_/default_runtime.py',
]

from mmaction_ext.networks import slowfast

model = slowfast(num_classes=400)
