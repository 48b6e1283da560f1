# The thin ResNet-10 with TCM after stage 3, as in its paper, where 64 pixels have become 8. The
# hyper-parameters are those of the released code.
_base_ = './dcf_resnet10_thin.py'
model = dict(
    backbone=dict(
        module=dict(_delete_=True, type='TCM', num_segments=8),
        stages=(3, )))
