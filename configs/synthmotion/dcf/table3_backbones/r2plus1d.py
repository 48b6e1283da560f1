_base_ = './dcf_r2plus1d.py'
model = dict(backbone=dict(module=None, stages=()))
