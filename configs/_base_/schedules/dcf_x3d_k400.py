# DCF appendix D, X3D on Kinetics-400: 256 epochs from scratch, batch 256, learning rate 0.4,
# half-period cosine, weight decay 5e-5. Momentum and warm-up as in dcf_x3d_sth.py.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=256, val_interval=8)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.4, momentum=0.9, weight_decay=5e-5))
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=256, eta_min=0, by_epoch=True,
         convert_to_iter_based=True),
]
