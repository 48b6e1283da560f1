_base_ = []

from mmaction_ext.schedules import sgd_warm_cosine

# The released code of TAda2D on Something-Something, 16 frames: batch 64, learning rate 0.24, 64 epochs, 4 of warm-up.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=64, val_interval=4)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper, param_scheduler = sgd_warm_cosine(0.24, 64, 4, 1e-4)
