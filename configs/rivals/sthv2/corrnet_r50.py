_base_ = [
    '../../_base_/datasets/corrnet_sthv2_32f_224.py',
    '../../_base_/schedules/slowfast_k400.py',
    '../../_base_/default_runtime.py',
]

from mmaction_ext.networks import corrnet

model = corrnet(num_classes=174)
