_base_ = './dcf_x3d.py'
model = dict(backbone=dict(module=None, stages=()))
