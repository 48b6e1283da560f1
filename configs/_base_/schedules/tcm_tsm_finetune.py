# TCM on UCF101 and HMDB51: its recipe was not read. From what TSM's code gives for fine-tuning
# from Kinetics: batch 64, learning rate 0.001, a tenth of it from epochs 10 and 20 on, 25 epochs,
# weight decay 5e-4, gradient norm at most 20. As in TCM's recipe for Something-Something, and not
# in TSM's: Nesterov, dropout 0.5 (0.8 there), all normalisations trained (the first alone), and a
# classifier that learns no faster than the rest (five times, its bias ten times, as fast).
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=25, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    optimizer=dict(type='SGD', lr=0.001, momentum=0.9, nesterov=True, weight_decay=5e-4),
    paramwise_cfg=dict(bias_lr_mult=2.0, bias_decay_mult=0.0, norm_decay_mult=0.0),
    clip_grad=dict(max_norm=20, norm_type=2))
param_scheduler = [
    dict(type='MultiStepLR', milestones=[10, 20], gamma=0.1, by_epoch=True),
]
