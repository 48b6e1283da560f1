_base_ = [
    '../../_base_/datasets/ctnet_sthv2_16f_256.py',
    '../../_base_/schedules/ctnet_something.py',
    '../../_base_/default_runtime.py',
]

from mmaction_ext.networks import ctnet_r50

model = ctnet_r50(num_classes=174, num_segments={{_base_.num_segments}})
