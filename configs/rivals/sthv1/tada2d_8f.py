_base_ = [
    '../../_base_/datasets/tada2d_sthv1_8f_256.py',
    '../../_base_/schedules/tada2d_something_8f.py',
    '../../_base_/default_runtime.py',
]

from mmaction_ext.networks import tada2d_r50

model = tada2d_r50(num_classes=174, num_segments={{_base_.num_segments}})
