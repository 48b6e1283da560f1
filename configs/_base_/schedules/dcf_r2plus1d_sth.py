# DCF appendix D, R(2+1)D on Something-Something: 60 epochs from ImageNet weights, batch 64,
# learning rate 0.01, half-period cosine, weight decay 5e-4. Momentum is not printed: 0.9. No
# warm-up is printed: none.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=60, val_interval=2)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.01, momentum=0.9, weight_decay=5e-4))
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=60, eta_min=0, by_epoch=True,
         convert_to_iter_based=True),
]
