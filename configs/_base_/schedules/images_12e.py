_base_ = []

from mmaction_ext.schedules import adamw_one_cycle

# Networks that know images, on few real videos; the last epoch's weights are the ones tested.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=12, val_interval=12)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper, param_scheduler = adamw_one_cycle(lr=1e-3, epochs=12)
