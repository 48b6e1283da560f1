_base_ = '../tdn.py'
model = dict(backbone=dict(backbone=dict(long_term=False)))
