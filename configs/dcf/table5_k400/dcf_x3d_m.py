_base_ = [
    '../../_base_/datasets/dcf_k400_16f_224.py',
    '../../_base_/schedules/dcf_x3d_k400.py',
    '../../_base_/default_runtime.py',
]

from mmaction_ext.networks import dcf_x3d_s

model = dcf_x3d_s(num_classes=400)
global_batch_size = 256
