# RSANet on Something-Something, as the authors' logs have it: batch 64, 80 epochs, a rate that changes
# once per epoch: 0.00402, 0.00801, 0.01201, 0.016, 0.02, then half a cosine down to 0.00002 in the
# last one. Normalisations and biases do not decay.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=80, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.02, momentum=0.9, nesterov=True, weight_decay=5e-4),
    paramwise_cfg=dict(bias_decay_mult=0.0, norm_decay_mult=0.0),
    clip_grad=dict(max_norm=100, norm_type=2))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.2008, by_epoch=True, begin=0, end=5),
    dict(type='CosineAnnealingLR', T_max=75, eta_min_ratio=0.001, by_epoch=True, begin=4, end=80),
]
