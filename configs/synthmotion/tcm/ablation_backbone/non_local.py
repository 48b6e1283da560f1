_base_ = './tsm_r50.py'
model = dict(
    backbone=dict(
        backbone=dict(
            non_local=((0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0, 0, 0), (1, 1, 1)),
            non_local_cfg=dict(sub_sample=False, use_scale=True, mode='embedded_gaussian'))))
