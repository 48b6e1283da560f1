# The RGB stream of MARS from its weights for Kinetics-400. From its released code: the last layer and
# the classifier alone learn, learning rate 0.001, weight decay 1e-5, momentum and dampening 0.9. The
# code divides the rate where the loss of the test stands still; here a tenth of it after 21 and 42 of
# 50 epochs, as for the other networks of the table.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=50, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.001, momentum=0.9, dampening=0.9, weight_decay=1e-5),
    paramwise_cfg=dict(custom_keys={
        'backbone': dict(lr_mult=0.0), 'backbone.layer4': dict(lr_mult=1.0)}))
param_scheduler = [
    dict(type='MultiStepLR', milestones=[21, 42], gamma=0.1, by_epoch=True),
]
