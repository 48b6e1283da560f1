_base_ = './tcm_r50_16f.py'
model = dict(backbone=dict(module=None, stages=()))
