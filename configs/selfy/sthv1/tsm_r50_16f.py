# 16 frames take L = 9; the released code has L = 5 for any number of frames.
_base_ = './tsm_r50_8f.py'
input_shape = (3, 16, 224, 224)
model = dict(
    backbone=dict(
        num_segments=16,
        backbone=dict(num_segments=16),
        module=dict(offsets=(-4, -3, -2, -1, 0, 1, 2, 3, 4))),
    cls_head=dict(num_segments=16))
