_base_ = '../../cross/motion_squeeze.py'
model = dict(backbone=dict(module=dict(window=7)))
