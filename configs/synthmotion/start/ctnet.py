_base_ = '../cross/ctnet.py'

model = dict(backbone=dict(module=dict(zero_init=True)))
