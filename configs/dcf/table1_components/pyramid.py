_base_ = './full.py'
model = dict(backbone=dict(module=dict(long_term=False)))
