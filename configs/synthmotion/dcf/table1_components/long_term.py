_base_ = './full.py'
model = dict(backbone=dict(module=dict(spatial_pyramid=False)))
