_base_ = [
    '../../_base_/datasets/tdn_k400_16f_256.py',
    '../../_base_/schedules/tdn_k400.py',
    '../../_base_/default_runtime.py',
]

from mmaction_ext.networks import tdn

model = tdn(num_classes=400, num_segments={{_base_.num_segments}})
