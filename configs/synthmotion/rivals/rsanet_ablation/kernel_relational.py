_base_ = '../rsanet.py'
model = dict(backbone=dict(backbone=dict(kernel_type='R')))
