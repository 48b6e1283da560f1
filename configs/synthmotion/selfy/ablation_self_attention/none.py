_base_ = './selfy.py'
model = dict(backbone=dict(module=None, stages=()))
