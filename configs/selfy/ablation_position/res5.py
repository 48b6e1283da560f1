_base_ = '../table1_sthv1/selfy_tsm_r18_8f.py'
model = dict(backbone=dict(stages=(5, )))
