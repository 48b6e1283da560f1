_base_ = './tcm_tsm_something.py'

# The released code of MotionSqueeze on Something-Something: batch 48, learning rate 0.01, a tenth of
# it from epochs 20 and 30 on, 40 epochs; the rest as in TCM's, which descends from it.
train_cfg = dict(max_epochs=40)
param_scheduler = [
    dict(type='MultiStepLR', milestones=[20, 30], gamma=0.1, by_epoch=True),
]
