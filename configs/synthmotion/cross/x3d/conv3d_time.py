_base_ = [
    '../../../_base_/datasets/dcf_synthmotion_3d.py',
    '../../../_base_/schedules/synthmotion_24e.py',
    '../../../_base_/default_runtime.py',
]

from mmaction_ext.networks import thin_x3d

model = thin_x3d(module=dict(type='Conv3D', kernel_size=(3, 1, 1), zero_init=False), stages=(3, ))
