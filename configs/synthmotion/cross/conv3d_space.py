_base_ = [
    '../../_base_/datasets/synthmotion.py',
    '../../_base_/schedules/synthmotion_6e.py',
    '../../_base_/default_runtime.py',
]

from mmaction_ext.networks import thin_resnet10

model = thin_resnet10(
    num_segments={{_base_.num_segments}}, stages=(3, ),
    module=dict(type='Conv3D', kernel_size=(1, 3, 3), zero_init=False))
