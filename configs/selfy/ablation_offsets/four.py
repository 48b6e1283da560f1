_base_ = '../table1_sthv1/selfy_tsm_r18_8f.py'
model = dict(backbone=dict(module=dict(offsets=(-4, -3, -2, -1, 0, 1, 2, 3, 4))))
