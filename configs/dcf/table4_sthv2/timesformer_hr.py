_base_ = [
    '../../_base_/datasets/timesformer_sthv2_16f_448.py',
    '../../_base_/schedules/timesformer_sth.py',
    '../../_base_/default_runtime.py',
]

from mmaction_ext.networks import timesformer

model = timesformer(num_classes=174, num_frames={{_base_.num_segments}}, img_size=448)
