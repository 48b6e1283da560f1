# The released code of TCM on Something-Something: batch 32, learning rate 0.01, a tenth of it from
# epochs 30, 40 and 45 on, 50 epochs, no warm-up. Biases learn twice as fast and do not decay;
# scales and shifts of the normalisations do not decay.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=50, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4),
    paramwise_cfg=dict(bias_lr_mult=2.0, bias_decay_mult=0.0, norm_decay_mult=0.0),
    clip_grad=dict(max_norm=200, norm_type=2))
param_scheduler = [
    dict(type='MultiStepLR', milestones=[30, 40, 45], gamma=0.1, by_epoch=True),
]
