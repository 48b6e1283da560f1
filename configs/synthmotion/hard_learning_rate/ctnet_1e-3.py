_base_ = '../hard/ctnet.py'

from mmaction_ext.schedules import adamw_one_cycle

optim_wrapper, param_scheduler = adamw_one_cycle(lr=1e-3, epochs=6)
