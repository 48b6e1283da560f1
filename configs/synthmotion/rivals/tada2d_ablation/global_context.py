_base_ = '../tada2d.py'
model = dict(backbone=dict(backbone=dict(pooled_branch=False)))
