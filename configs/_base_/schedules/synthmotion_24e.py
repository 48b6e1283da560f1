_base_ = './synthmotion_6e.py'

from mmaction_ext.schedules import adamw_one_cycle

# For networks that six epochs from scratch leave at chance.
train_cfg = dict(max_epochs=24)
optim_wrapper, param_scheduler = adamw_one_cycle(lr=2e-3, epochs=24)
