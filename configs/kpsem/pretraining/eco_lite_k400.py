# What the rows of ECO-Lite start from; see the README.
_base_ = [
    '../../_base_/datasets/eco_k400_16f_224.py',
    '../../_base_/schedules/eco.py',
    '../../_base_/default_runtime.py',
]

from mmaction_ext.networks import eco

model = eco(num_classes=400)
