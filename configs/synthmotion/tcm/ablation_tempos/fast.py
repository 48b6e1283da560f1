_base_ = '../ablation_components/full.py'
model = dict(backbone=dict(module=dict(tempos=('fast', ))))
