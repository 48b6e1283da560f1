_base_ = '../selfy/ablation_offsets/two.py'

model = dict(backbone=dict(module=dict(zero_init=True)))
