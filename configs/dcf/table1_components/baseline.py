_base_ = './full.py'
model = dict(backbone=dict(module=None, stages=()))
