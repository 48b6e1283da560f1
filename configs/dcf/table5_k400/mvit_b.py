_base_ = [
    '../../_base_/datasets/mvit_k400_16f_224.py',
    '../../_base_/schedules/mvit_k400.py',
    '../../_base_/default_runtime.py',
]

from mmaction_ext.networks import mvit_b

model = mvit_b(num_classes=400, blends=True)
