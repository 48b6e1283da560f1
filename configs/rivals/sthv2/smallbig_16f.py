_base_ = [
    '../../_base_/datasets/smallbig_sthv2_16f_224.py',
    '../../_base_/schedules/smallbig_k400.py',
    '../../_base_/default_runtime.py',
]

from mmaction_ext.networks import smallbig

model = smallbig(num_classes=174, num_segments={{_base_.num_segments}})
