_base_ = '../table1_sthv1/tsm_r50_8f.py'
model = dict(
    backbone=dict(
        backbone=dict(
            non_local=((0, 0, 0), (0, 0, 0, 1), (0, 0, 0, 0, 0, 0), (0, 0, 0)),
            non_local_cfg=dict(sub_sample=False, use_scale=True, mode='embedded_gaussian'))))
