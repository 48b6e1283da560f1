_base_ = [
    '../../_base_/datasets/tcm_k400_8f_224.py',
    '../../_base_/schedules/tcm_tsm_k400.py',
    '../../_base_/default_runtime.py',
]

from mmaction_ext.networks import tcm_tsm_r50

model = tcm_tsm_r50(num_classes=400, num_segments={{_base_.num_segments}})
