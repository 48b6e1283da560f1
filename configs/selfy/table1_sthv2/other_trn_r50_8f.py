_base_ = [
    '../../_base_/datasets/tsn_sthv2_8f_224.py',
    '../../_base_/schedules/trn_sth.py',
    '../../_base_/default_runtime.py',
]

from mmaction_ext.networks import trn_r50

model = trn_r50(num_classes=174, num_segments={{_base_.num_segments}})
