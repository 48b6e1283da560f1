_base_ = '../hard/dcf.py'

from mmaction_ext.schedules import adamw_one_cycle

optim_wrapper, param_scheduler = adamw_one_cycle(lr=5e-4, epochs=6)
