_base_ = './conv3d.py'

model = dict(backbone=dict(module=dict(kernel_size=(1, 3, 3))))
