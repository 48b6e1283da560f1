# From Kinetics-400: train ../table5_k400/mvit_b.py first.
_base_ = [
    '../../_base_/datasets/mvit_sthv2_16f_224.py',
    '../../_base_/schedules/mvit_sthv2.py',
    '../../_base_/default_runtime.py',
]

from mmaction_ext.networks import mvit_b

model = mvit_b(
    num_classes=174,
    init_cfg=dict(
        type='Pretrained', prefix='backbone.',
        checkpoint='work_dirs/dcf/table5_k400/mvit_b/seed0/epoch_200.pth'))
