# From Kinetics-400: train ../table5_k400/mvit_b.py first.
_base_ = [
    '../../_base_/models/mvit_b.py',
    '../../_base_/datasets/mvit_sthv2_16f_224.py',
    '../../_base_/schedules/mvit_sthv2.py',
    '../../_base_/default_runtime.py',
]
model = dict(
    backbone=dict(init_cfg=dict(
        type='Pretrained', prefix='backbone.',
        checkpoint='work_dirs/dcf/table5_k400/mvit_b/seed0/epoch_200.pth')),
    cls_head=dict(num_classes=174))
