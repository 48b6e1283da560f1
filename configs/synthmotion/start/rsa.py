_base_ = '../cross/rsa.py'

model = dict(backbone=dict(module=dict(zero_init=True)))
