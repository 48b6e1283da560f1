_base_ = './tsm_r50_8f.py'
input_shape = (3, 16, 224, 224)
model = dict(
    backbone=dict(
        num_segments=16, backbone=dict(num_segments=16), module=dict(num_segments=16)),
    cls_head=dict(num_segments=16))
