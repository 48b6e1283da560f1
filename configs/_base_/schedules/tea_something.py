# The released code of TEA on Something-Something: batch 64, learning rate 0.02, a tenth of it from
# epochs 30, 40 and 45 on, 50 epochs, no warm-up. Biases learn twice as fast and do not decay, nor do
# normalisations; the classifier's weights learn five times and its biases ten times as fast.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=50, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    constructor='TSMOptimWrapperConstructor',
    paramwise_cfg=dict(fc_lr5=True),
    optimizer=dict(type='SGD', lr=0.02, momentum=0.9, weight_decay=5e-4),
    clip_grad=dict(max_norm=20, norm_type=2))
param_scheduler = [
    dict(type='MultiStepLR', milestones=[30, 40, 45], gamma=0.1, by_epoch=True),
]
