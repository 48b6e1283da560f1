_base_ = './dcf_r50_8f.py'
model = dict(backbone=dict(module=None, stages=()))
