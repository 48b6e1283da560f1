# TCM on Kinetics-400: its recipe was not read. This is the Kinetics script of MotionSqueeze, the
# code that TCM's descends from: batch 96, learning rate 0.02, 75 epochs.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=75, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.02, momentum=0.9, nesterov=True, weight_decay=1e-4),
    paramwise_cfg=dict(bias_lr_mult=2.0, bias_decay_mult=0.0, norm_decay_mult=0.0),
    clip_grad=dict(max_norm=20, norm_type=2))
param_scheduler = [
    dict(type='MultiStepLR', milestones=[30, 60], gamma=0.1, by_epoch=True),
]
