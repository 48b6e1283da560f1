_base_ = [
    '../../_base_/models/dcf_x3d_s.py',
    '../../_base_/datasets/dcf_k400_16f_224.py',
    '../../_base_/schedules/dcf_x3d_k400.py',
    '../../_base_/default_runtime.py',
]
global_batch_size = 256
model = dict(cls_head=dict(num_classes=400))
