_base_ = '../rsanet.py'
model = dict(backbone=dict(backbone=dict(kernel_type='V', feat_type='V')))
