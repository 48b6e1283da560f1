_base_ = './tsm_r50.py'
model = dict(
    backbone=dict(backbone=dict(depth=18, base_channels=16)), cls_head=dict(in_channels=128))
