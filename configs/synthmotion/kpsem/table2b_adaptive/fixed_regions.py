_base_ = '../table2a_regions/kpsem.py'
model = dict(backbone=dict(module=dict(adaptive=False, split_seed=None)))
