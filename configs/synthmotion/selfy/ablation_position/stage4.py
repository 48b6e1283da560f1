_base_ = '../ablation_offsets/two.py'
model = dict(backbone=dict(module=dict(window=5), stages=(4, )))
