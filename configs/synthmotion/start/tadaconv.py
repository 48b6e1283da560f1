_base_ = '../cross/tadaconv.py'

model = dict(backbone=dict(module=dict(zero_init=True)))
