_base_ = '../ablation_components/full.py'
model = dict(backbone=dict(stages=(4, )))
