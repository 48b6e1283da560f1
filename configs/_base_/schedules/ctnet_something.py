# The released code of CT-Net on Something-Something: batch 64, learning rate 0.02 after 10 epochs of
# warm-up, epoch by epoch along a cosine that is 0 after 45. The classifier learns five times as
# fast, biases twice, its own ten times; biases and normalisations do not decay.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=45, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    constructor='TSMOptimWrapperConstructor',
    paramwise_cfg=dict(fc_lr5=True),
    optimizer=dict(type='SGD', lr=0.02, momentum=0.9, weight_decay=5e-4),
    clip_grad=dict(max_norm=20, norm_type=2))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=True, begin=0, end=10),
    dict(type='CosineAnnealingLR', T_max=35, eta_min=0, by_epoch=True, begin=10, end=45),
]
