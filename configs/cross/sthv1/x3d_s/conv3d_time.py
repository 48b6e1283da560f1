_base_ = [
    '../../../_base_/datasets/cross_sthv1_13f_160.py',
    '../../../_base_/schedules/cross_sthv1.py',
    '../../../_base_/default_runtime.py',
]

from mmaction_ext.networks import pretrained_x3d_s

model = pretrained_x3d_s(
    num_classes=174, module=dict(type='Conv3D', kernel_size=(3, 1, 1)), stages=(3, ))
