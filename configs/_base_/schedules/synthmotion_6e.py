_base_ = []

from mmaction_ext.schedules import adamw_one_cycle

# One schedule for every row on SynthMotion; the last epoch's weights are the ones tested.
# However many processes train, batch normalisation sees the whole batch of 8 clips.
sync_bn = 'torch'
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=6, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper, param_scheduler = adamw_one_cycle(lr=2e-3, epochs=6)
