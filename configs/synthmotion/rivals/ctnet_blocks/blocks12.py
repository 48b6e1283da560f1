_base_ = './blocks7.py'
model = dict(backbone=dict(backbone=dict(num_total=12)))
