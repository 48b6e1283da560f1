# The released code of TDN on Kinetics-400: batch 128, learning rate 0.02, a tenth of it from epochs
# 50, 75 and 90 on, 100 epochs, no warm-up. All weights learn and decay alike.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=100, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.02, momentum=0.9, weight_decay=1e-4),
    clip_grad=dict(max_norm=20, norm_type=2))
param_scheduler = [
    dict(type='MultiStepLR', milestones=[50, 75, 90], gamma=0.1, by_epoch=True),
]
