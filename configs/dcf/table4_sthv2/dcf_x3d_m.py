# X3D-M is the network of X3D-S, on more and larger frames.
_base_ = [
    '../../_base_/datasets/dcf_sthv2_16f_224.py',
    '../../_base_/schedules/dcf_x3d_sth.py',
    '../../_base_/default_runtime.py',
]

from mmaction_ext.networks import dcf_x3d_s

model = dcf_x3d_s(num_classes=174)
global_batch_size = 128
