_base_ = './kpsem.py'
model = dict(backbone=dict(module=dict(num_regions=1)))
