# DCF appendix D, R(2+1)D on Kinetics-400: 100 epochs from ImageNet weights, batch 128, learning
# rate 0.02, half-period cosine. The weight decay is printed for Something-Something alone: 1e-4
# here, as in TDN, whose practice section 4.1 says it follows. Momentum and warm-up as in
# dcf_r2plus1d_sth.py.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=100, val_interval=4)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.02, momentum=0.9, weight_decay=1e-4))
param_scheduler = [
    dict(type='CosineAnnealingLR', T_max=100, eta_min=0, by_epoch=True,
         convert_to_iter_based=True),
]
