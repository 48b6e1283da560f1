_base_ = [
    '../../_base_/models/r3d_r50.py',
    '../../_base_/datasets/kpsem_hmdb51_16f_224.py',
    '../../_base_/schedules/kpsem_mfnet_hmdb51.py',
    '../../_base_/default_runtime.py',
]
model = dict(backbone=dict(backbone=dict(pretrained='torchvision://resnet50')))
global_batch_size = 16
