_base_ = [
    '../../_base_/datasets/selfy_gym288_8f_224.py',
    '../../_base_/schedules/selfy_tsm_something.py',
    '../../_base_/default_runtime.py',
]

from mmaction_ext.networks import selfy_tsm_r50

model = selfy_tsm_r50(num_classes=288, num_segments={{_base_.num_segments}})
