_base_ = './dcf_16f.py'
model = dict(backbone=dict(module=None, stages=()))
