_base_ = [
    '../../../_base_/datasets/synthmotion.py',
    '../../../_base_/schedules/synthmotion_6e.py',
    '../../../_base_/default_runtime.py',
]

from mmaction_ext.networks import thin_tsm_r50

model = thin_tsm_r50(
    num_segments={{_base_.num_segments}},
    module=dict(type='TCM', num_segments={{_base_.num_segments}}), stages=(3, ))
