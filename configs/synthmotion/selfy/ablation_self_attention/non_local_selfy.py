_base_ = './selfy.py'
model = dict(
    backbone=dict(
        backbone=dict(
            non_local=((0, 0, 0), (0, 0, 0, 1), (0, 0, 0, 0, 0, 0), (0, 0, 0)),
            non_local_cfg=dict(sub_sample=False, use_scale=True, mode='embedded_gaussian'))))
