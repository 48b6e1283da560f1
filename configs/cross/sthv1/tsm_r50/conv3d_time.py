_base_ = [
    '../../../_base_/datasets/cross_sthv1_8f_224_2d.py',
    '../../../_base_/schedules/cross_sthv1.py',
    '../../../_base_/default_runtime.py',
]

from mmaction_ext.networks import motion_tsm_r50

model = motion_tsm_r50(
    num_classes=174, num_segments={{_base_.num_segments}},
    module=dict(type='Conv3D', kernel_size=(3, 1, 1)), stages=(3, ))
