_base_ = './selfy_tsm_r50_8f.py'
model = dict(backbone=dict(backbone=dict(is_shift=False)))
