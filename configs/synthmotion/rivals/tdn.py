_base_ = [
    '../../_base_/datasets/tdn_synthmotion.py',
    '../../_base_/schedules/synthmotion_6e.py',
    '../../_base_/default_runtime.py',
]

from mmaction_ext.networks import thin_tdn

model = thin_tdn(num_segments={{_base_.num_segments}})
