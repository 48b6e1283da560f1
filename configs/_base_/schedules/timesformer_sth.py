# TimeSformer as in mmaction2's configs (for Kinetics-400): 15 epochs from ImageNet, batch 64.
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=15, val_interval=5)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.005, momentum=0.9, weight_decay=1e-4, nesterov=True),
    paramwise_cfg=dict(custom_keys={
        'backbone.cls_token': dict(decay_mult=0.0),
        'backbone.pos_embed': dict(decay_mult=0.0),
        'backbone.time_embed': dict(decay_mult=0.0)}),
    clip_grad=dict(max_norm=40, norm_type=2))
param_scheduler = [
    dict(type='MultiStepLR', milestones=[5, 10], gamma=0.1, by_epoch=True),
]
