_base_ = '../tada2d.py'
model = dict(backbone=dict(backbone=dict(global_context=False)))
