_base_ = '../table2a_regions/mf_kpsem.py'
model = dict(backbone=dict(module=dict(adaptive=False, split_seed=None)))
