_base_ = [
    '../../_base_/datasets/dcf_sthv2_16f_224.py',
    '../../_base_/schedules/dcf_r2plus1d_sth.py',
    '../../_base_/default_runtime.py',
]

from mmaction_ext.networks import dcf_r2plus1d_r50

model = dcf_r2plus1d_r50(num_classes=174)
