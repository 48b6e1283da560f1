# The released code of ECO: batch 64 (15 or 16 clips, accumulated four times), learning rate 0.001, a
# tenth of it from epochs 15 and 30 on, 40 epochs. Biases learn twice as fast and do not decay;
# scales and shifts of the normalisations do not decay.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=40, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.001, momentum=0.9, nesterov=True, weight_decay=5e-4),
    paramwise_cfg=dict(bias_lr_mult=2.0, bias_decay_mult=0.0, norm_decay_mult=0.0),
    clip_grad=dict(max_norm=50, norm_type=2))
param_scheduler = [
    dict(type='MultiStepLR', milestones=[15, 30], gamma=0.1, by_epoch=True),
]
