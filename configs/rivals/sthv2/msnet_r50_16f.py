_base_ = [
    '../../_base_/datasets/msnet_sthv2_16f_224.py',
    '../../_base_/schedules/msnet_something.py',
    '../../_base_/default_runtime.py',
]

from mmaction_ext.networks import msnet_tsm_r50

model = msnet_tsm_r50(num_classes=174, num_segments={{_base_.num_segments}})
