# 16 frames take L = 9; the released code has L = 5 for any number of frames.
_base_ = [
    '../../_base_/models/selfy_tsm_r50.py',
    '../../_base_/datasets/selfy_gym288_16f_224.py',
    '../../_base_/schedules/selfy_tsm_something.py',
    '../../_base_/default_runtime.py',
]
model = dict(
    backbone=dict(
        num_segments=16,
        backbone=dict(num_segments=16),
        module=dict(offsets=(-4, -3, -2, -1, 0, 1, 2, 3, 4))),
    cls_head=dict(num_segments=16, num_classes=288))
