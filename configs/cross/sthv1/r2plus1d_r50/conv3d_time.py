_base_ = [
    '../../../_base_/datasets/cross_sthv1_8f_224.py',
    '../../../_base_/schedules/cross_sthv1.py',
    '../../../_base_/default_runtime.py',
]

from mmaction_ext.networks import r2plus1d_r50

model = r2plus1d_r50(num_classes=174, module=dict(type='Conv3D', kernel_size=(3, 1, 1)), stages=(3, ))
