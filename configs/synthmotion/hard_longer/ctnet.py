_base_ = '../hard/ctnet.py'

from mmaction_ext.schedules import adamw_one_cycle

train_cfg = dict(max_epochs=24)
optim_wrapper, param_scheduler = adamw_one_cycle(lr=2e-3, epochs=24)
