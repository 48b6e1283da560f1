# MFNet's released code (github.com/cypw/PyTorch-MFNet, train_kinetics.py): SGD with Nesterov, batch
# 128, learning rate 0.05, half of it for the first 99 steps, a tenth after 18, 28, 34 and 38 million
# clips. The code stops at no epoch; 167 are 40 million clips.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=167, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.05, momentum=0.9, weight_decay=1e-4, nesterov=True))
param_scheduler = [
    dict(type='ConstantLR', factor=0.5, begin=0, end=100, by_epoch=False),
    dict(type='MultiStepLR', gamma=0.1, by_epoch=False,
         milestones=[clips * 1000000 // 128 for clips in (18, 28, 34, 38)]),
]
