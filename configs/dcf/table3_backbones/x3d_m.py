_base_ = './dcf_x3d_m.py'
model = dict(backbone=dict(module=None, stages=()))
