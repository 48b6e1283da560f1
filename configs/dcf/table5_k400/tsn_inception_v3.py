_base_ = [
    '../../_base_/datasets/tsn_k400_25f_299.py',
    '../../_base_/schedules/tsn_k400.py',
    '../../_base_/default_runtime.py',
]

from mmaction_ext.networks import tsn_inception_v3

model = tsn_inception_v3(num_classes=400)
