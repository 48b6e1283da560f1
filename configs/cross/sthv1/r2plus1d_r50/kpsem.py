_base_ = [
    '../../../_base_/datasets/cross_sthv1_8f_224.py',
    '../../../_base_/schedules/cross_sthv1.py',
    '../../../_base_/default_runtime.py',
]

from mmaction_ext.networks import r2plus1d_r50, with_kpsem

model = with_kpsem(r2plus1d_r50(num_classes=174), stage=3, out_channels=128, num_frames=8)
