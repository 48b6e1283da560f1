_base_ = './dcf_4f.py'
model = dict(backbone=dict(module=None, stages=()))
