_base_ = [
    '../../_base_/datasets/tcm_sthv2_16f_224.py',
    '../../_base_/schedules/tcm_tsm_something.py',
    '../../_base_/default_runtime.py',
]

from mmaction_ext.networks import tcm_tsm_r50

model = tcm_tsm_r50(num_classes=174, num_segments={{_base_.num_segments}})
