_base_ = [
    '../../_base_/datasets/synthmotion.py',
    '../../_base_/schedules/synthmotion_6e.py',
    '../../_base_/default_runtime.py',
]

from mmaction_ext.networks import thin_frame_resnet

model = thin_frame_resnet(num_segments={{_base_.num_segments}}, type='CGDResNet')
