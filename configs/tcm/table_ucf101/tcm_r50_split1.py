_base_ = [
    '../../_base_/models/tcm_tsm_r50.py',
    '../../_base_/datasets/tcm_ucf101_8f_224.py',
    '../../_base_/schedules/tcm_tsm_finetune.py',
    '../../_base_/default_runtime.py',
]
load_from = 'work_dirs/tcm/table_k400/tcm_r50_8f/seed0/epoch_75.pth'
model = dict(
    backbone=dict(backbone=dict(pretrained=None, pretrained2d=False)),
    cls_head=dict(num_classes=101))
