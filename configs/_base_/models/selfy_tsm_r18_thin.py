# TSM-ResNet-18 at a quarter of its width, from scratch, with SELFY as in selfy_resnet10_thin.py.
_base_ = './dcf_resnet10_thin.py'
model = dict(
    backbone=dict(
        backbone=dict(
            _delete_=True, type='ThinResNetTSM', depth=18, base_channels=16, num_segments=8),
        module=dict(
            _delete_=True, type='SELFY', offsets=(-2, -1, 0, 1, 2), zero_init=False),
        stages=(3, )))
