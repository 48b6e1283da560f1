_base_ = './tcm_r50.py'
load_from = 'work_dirs/tcm/table_k400/tsm_r50_8f/seed0/epoch_75.pth'
model = dict(backbone=dict(module=None, stages=()))
