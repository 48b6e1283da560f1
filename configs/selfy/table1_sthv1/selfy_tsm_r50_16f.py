# 16 frames take L = 9; the released code has L = 5 for any number of frames.
_base_ = [
    '../../_base_/datasets/selfy_sthv1_16f_224.py',
    '../../_base_/schedules/selfy_tsm_something.py',
    '../../_base_/default_runtime.py',
]

from mmaction_ext.networks import selfy_tsm_r50

model = selfy_tsm_r50(
    num_classes=174, num_segments={{_base_.num_segments}}, offsets=(-4, -3, -2, -1, 0, 1, 2, 3, 4))
