_base_ = '../ablation_offsets/two.py'
model = dict(backbone=dict(module=dict(offsets=(-3, -2, -1, 0, 1, 2, 3))))
