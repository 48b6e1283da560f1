_base_ = '../rsanet.py'
model = dict(backbone=dict(backbone=dict(feat_type='V')))
