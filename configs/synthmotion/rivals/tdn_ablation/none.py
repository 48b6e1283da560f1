_base_ = '../tdn.py'
model = dict(backbone=dict(backbone=dict(short_term=False, long_term=False)))
