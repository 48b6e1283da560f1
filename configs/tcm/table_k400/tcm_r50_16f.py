_base_ = [
    '../../_base_/models/tcm_tsm_r50.py',
    '../../_base_/datasets/tcm_k400_16f_224.py',
    '../../_base_/schedules/tcm_tsm_k400.py',
    '../../_base_/default_runtime.py',
]
model = dict(
    backbone=dict(
        num_segments=16, backbone=dict(num_segments=16), module=dict(num_segments=16)),
    cls_head=dict(num_segments=16, num_classes=400))
