_base_ = [
    '../../_base_/models/kpsem_mfnet.py',
    '../../_base_/datasets/kpsem_minikinetics_16f_224.py',
    '../../_base_/schedules/kpsem_mfnet_ucf101.py',
    '../../_base_/default_runtime.py',
]
load_from = 'checkpoints/mfnet_k400.pth'
model = dict(cls_head=dict(head=dict(num_classes=200)))
