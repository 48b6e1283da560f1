# One schedule for every row on SynthMotion; the last epoch's weights are the ones tested.
# However many processes train, batch normalisation sees the whole batch of 8 clips.
sync_bn = 'torch'
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=6, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=2e-3, weight_decay=1e-2))
param_scheduler = [
    dict(type='OneCycleLR', eta_max=2e-3, total_steps=6, by_epoch=True,
         convert_to_iter_based=True),
]
