# MViT on Something-Something V2 as in mmaction2's config for MViTv2-S: 100 epochs from
# Kinetics-400, batch 256, 30 epochs of warm-up.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=100, val_interval=5)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=1.6e-3, betas=(0.9, 0.999), weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.1, by_epoch=True, begin=0, end=30,
         convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', T_max=100, eta_min=1.6e-5, by_epoch=True, begin=30,
         end=100, convert_to_iter_based=True),
]
