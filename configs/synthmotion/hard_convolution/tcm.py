_base_ = '../hard/tcm.py'

from mmaction_ext.networks import behind_convolution
from mmaction_ext.schedules import adamw_one_cycle

model = dict(backbone=behind_convolution(num_segments={{_base_.num_segments}}))
train_cfg = dict(max_epochs=24)
optim_wrapper, param_scheduler = adamw_one_cycle(lr=2e-3, epochs=24)
