_base_ = [
    '../../_base_/datasets/selfy_gym288_16f_224.py',
    '../../_base_/schedules/rsanet_something.py',
    '../../_base_/default_runtime.py',
]

from mmaction_ext.networks import rsanet

model = rsanet(num_classes=288, num_segments={{_base_.num_segments}})
