_base_ = [
    '../../_base_/datasets/tea_sthv2_8f_224.py',
    '../../_base_/schedules/tea_something.py',
    '../../_base_/default_runtime.py',
]

from mmaction_ext.networks import tea

model = tea(num_classes=174, num_segments={{_base_.num_segments}})
