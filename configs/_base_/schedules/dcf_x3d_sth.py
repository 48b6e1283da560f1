# DCF appendix D, X3D on Something-Something: 128 epochs from scratch, batch 128, learning rate
# 0.4, half-period cosine, weight decay 5e-5. Momentum is not printed: 0.9 as in X3D. No warm-up
# is printed: none.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=128, val_interval=4)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.4, momentum=0.9, weight_decay=5e-5))
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=128, eta_min=0, by_epoch=True,
         convert_to_iter_based=True),
]
