_base_ = '../../cross/motion_squeeze.py'
model = dict(backbone=dict(stages=(4, )))
