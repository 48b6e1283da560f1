# The released code of TDN on Something-Something: batch 64, learning rate 0.01, a tenth of it from
# epochs 30, 45 and 55 on, 60 epochs, no warm-up. All weights learn and decay alike.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=60, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=5e-4),
    clip_grad=dict(max_norm=20, norm_type=2))
param_scheduler = [
    dict(type='MultiStepLR', milestones=[30, 45, 55], gamma=0.1, by_epoch=True),
]
