# SlowFast on Kinetics-400 as in mmaction2's configs: 256 epochs from scratch, batch 64, 34 epochs
# of warm-up.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=256, val_interval=8)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.1, momentum=0.9, weight_decay=1e-4),
    clip_grad=dict(max_norm=40, norm_type=2))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=True, begin=0, end=34,
         convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', T_max=256, eta_min=0, by_epoch=True, begin=0, end=256),
]
