_base_ = [
    '../../_base_/datasets/kpsem_ucf101_16f_224.py',
    '../../_base_/schedules/kpsem_mfnet_ucf101.py',
    '../../_base_/default_runtime.py',
]

from mmaction_ext.networks import kpsem_mfnet

model = kpsem_mfnet(num_classes=101)
load_from = 'checkpoints/mfnet_k400.pth'
