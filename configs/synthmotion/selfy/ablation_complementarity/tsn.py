_base_ = './tsm_selfy.py'
model = dict(
    backbone=dict(backbone=dict(is_shift=False), module=None, stages=()))
