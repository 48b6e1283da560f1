# The thin ResNet-10 with SELFY after stage 3, as in its paper, where 64 pixels have become 8. The
# hyper-parameters are those of the released code, but for zero_init: a short schedule from
# scratch has no initial behaviour to preserve.
_base_ = './dcf_resnet10_thin.py'
model = dict(
    backbone=dict(
        module=dict(
            _delete_=True, type='SELFY', offsets=(-2, -1, 0, 1, 2), zero_init=False),
        stages=(3, )))
