_base_ = [
    '../../_base_/datasets/tdn_sthv1_8f_224.py',
    '../../_base_/schedules/tdn_something.py',
    '../../_base_/default_runtime.py',
]

from mmaction_ext.networks import tdn

model = tdn(num_classes=174, num_segments={{_base_.num_segments}})
