# Batch 48 and learning rate 0.0075 as in mmaction2's config for 16 frames.
_base_ = [
    '../../_base_/models/tanet_r50.py',
    '../../_base_/datasets/tsn_sthv1_16f_224.py',
    '../../_base_/schedules/tanet_sth.py',
    '../../_base_/default_runtime.py',
]
global_batch_size = 48
optim_wrapper = dict(optimizer=dict(lr=0.0075))
model = dict(backbone=dict(num_segments=16), cls_head=dict(num_segments=16))
