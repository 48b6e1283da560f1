# TSM-ResNet-50 at an eighth of its width, from scratch, with TCM as in tcm_resnet10_thin.py.
_base_ = './dcf_resnet10_thin.py'
model = dict(
    backbone=dict(
        backbone=dict(
            _delete_=True, type='ThinResNetTSM', depth=50, base_channels=8, num_segments=8),
        module=dict(_delete_=True, type='TCM', num_segments=8),
        stages=(3, )),
    cls_head=dict(in_channels=256))
