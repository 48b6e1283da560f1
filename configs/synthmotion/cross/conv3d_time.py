_base_ = './conv3d.py'

model = dict(backbone=dict(module=dict(kernel_size=(3, 1, 1))))
