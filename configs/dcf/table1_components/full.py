_base_ = [
    '../../_base_/models/dcf_x3d_s.py',
    '../../_base_/datasets/dcf_sthv1_13f_160.py',
    '../../_base_/schedules/dcf_x3d_sth.py',
    '../../_base_/default_runtime.py',
]
