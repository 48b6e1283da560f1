# mmaction2 has no config for V2: that for V1.
_base_ = [
    '../../_base_/datasets/tsn_sthv2_16f_224.py',
    '../../_base_/schedules/tanet_sth.py',
    '../../_base_/default_runtime.py',
]

from mmaction_ext.networks import tanet_r50

model = tanet_r50(num_classes=174, num_segments={{_base_.num_segments}})
global_batch_size = 48
optim_wrapper = dict(optimizer=dict(lr=0.0075))
