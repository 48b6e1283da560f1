_base_ = [
    '../../_base_/datasets/dcf_sthv1_13f_160.py',
    '../../_base_/schedules/dcf_x3d_sth.py',
    '../../_base_/default_runtime.py',
]

from mmaction_ext.networks import dcf_x3d_s

model = dcf_x3d_s(num_classes=174)
