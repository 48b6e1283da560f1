_base_ = [
    '../../_base_/datasets/eco_sthv1_16f_224.py',
    '../../_base_/schedules/eco.py',
    '../../_base_/default_runtime.py',
]

from mmaction_ext.networks import eco

model = eco(num_classes=174)
load_from = 'checkpoints/eco_lite_k400.pth'
