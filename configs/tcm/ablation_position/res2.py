_base_ = '../table_sthv1/tcm_r50_8f.py'
model = dict(backbone=dict(stages=(2, )))
