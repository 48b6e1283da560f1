_base_ = [
    '../../_base_/datasets/tcm_hmdb51_8f_224.py',
    '../../_base_/schedules/tcm_tsm_finetune.py',
    '../../_base_/default_runtime.py',
]

from mmaction_ext.networks import tcm_tsm_r50

model = tcm_tsm_r50(num_classes=51, num_segments={{_base_.num_segments}}, pretrained=None)
load_from = 'work_dirs/tcm/table_k400/tcm_r50_8f/seed0/epoch_75.pth'
