_base_ = [
    '../../_base_/datasets/kpsem_hmdb51_16f_224.py',
    '../../_base_/schedules/kpsem_mfnet_hmdb51.py',
    '../../_base_/default_runtime.py',
]

from mmaction_ext.networks import r3d_r50, with_kpsem

model = with_kpsem(r3d_r50(num_classes=51), stage=3, out_channels=128, num_frames=16)
global_batch_size = 16
