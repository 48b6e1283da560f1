_base_ = '../../cross/correlation_block.py'
model = dict(backbone=dict(module=dict(weight_frames=8)))
