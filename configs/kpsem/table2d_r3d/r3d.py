_base_ = [
    '../../_base_/datasets/kpsem_hmdb51_16f_224.py',
    '../../_base_/schedules/kpsem_mfnet_hmdb51.py',
    '../../_base_/default_runtime.py',
]

from mmaction_ext.networks import r3d_r50

model = r3d_r50(num_classes=51)
global_batch_size = 16
