_base_ = [
    '../../_base_/models/selfy_tsm_r50.py',
    '../../_base_/datasets/selfy_diving48_8f_224.py',
    '../../_base_/schedules/selfy_tsm_something.py',
    '../../_base_/default_runtime.py',
]
model = dict(cls_head=dict(num_classes=48))
