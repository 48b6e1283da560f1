_base_ = '../ctnet.py'
model = dict(backbone=dict(backbone=dict(gates=())))
