_base_ = '../../cross/correlation_block.py'
model = dict(backbone=dict(module=dict(displaced='current')))
