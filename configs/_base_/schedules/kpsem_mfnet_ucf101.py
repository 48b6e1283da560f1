# KPSEM on UCF101: 50 epochs, a tenth of the learning rate after 21 and 42 of them, which are the
# 200 and 400 thousand clips of MFNet's released code. Mini-Kinetics and Something-Something V1,
# for which there is no such code, take as many epochs.
# Section 4.1: SGD, learning rate 0.005, momentum 0.9, weight decay 1e-4. From the released code of
# MFNet: Nesterov, half the rate for the first 99 steps, a fifth of it for weights trained before.
# However many processes train, batch normalisation sees the whole batch.
sync_bn = 'torch'
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=50, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.005, momentum=0.9, weight_decay=1e-4, nesterov=True),
    paramwise_cfg=dict(
        custom_keys={'backbone': dict(lr_mult=0.2), 'backbone.module': dict(lr_mult=1.0)}))
param_scheduler = [
    dict(type='ConstantLR', factor=0.5, begin=0, end=100, by_epoch=False),
    dict(type='MultiStepLR', milestones=[21, 42], gamma=0.1, by_epoch=True),
]
