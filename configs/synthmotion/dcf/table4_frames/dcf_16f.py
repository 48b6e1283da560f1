_base_ = [
    '../../../_base_/models/dcf_resnet10_thin.py',
    '../../../_base_/datasets/dcf_synthmotion_16f.py',
    '../../../_base_/schedules/synthmotion_6e.py',
    '../../../_base_/default_runtime.py',
]
model = dict(backbone=dict(num_segments=16))
