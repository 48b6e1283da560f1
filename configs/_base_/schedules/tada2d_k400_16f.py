_base_ = []

from mmaction_ext.schedules import sgd_warm_cosine

# The released code of TAda2D on Kinetics-400, 16 frames: batch 64, learning rate 0.12, 100 epochs, 8 of warm-up.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=100, val_interval=5)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper, param_scheduler = sgd_warm_cosine(0.12, 100, 8, 0.01)
