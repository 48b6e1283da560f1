_base_ = '../cross/conv3d.py'

model = dict(backbone=dict(module=dict(zero_init=True)))
