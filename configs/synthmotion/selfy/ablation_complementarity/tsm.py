_base_ = './tsm_selfy.py'
model = dict(backbone=dict(module=None, stages=()))
