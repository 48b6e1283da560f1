_base_ = '../ctnet.py'
model = dict(backbone=dict(backbone=dict(depth=50, num_total=7)))
