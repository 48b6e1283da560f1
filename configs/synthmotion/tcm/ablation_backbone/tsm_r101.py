_base_ = './tsm_r50.py'
model = dict(backbone=dict(backbone=dict(depth=101)))
