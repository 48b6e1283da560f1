_base_ = [
    '../../_base_/models/dcf_r2plus1d_r50.py',
    '../../_base_/datasets/dcf_k400_16f_224.py',
    '../../_base_/schedules/dcf_r2plus1d_k400.py',
    '../../_base_/default_runtime.py',
]
model = dict(cls_head=dict(num_classes=400))
