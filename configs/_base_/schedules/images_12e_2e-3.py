_base_ = './images_12e.py'

from mmaction_ext.schedules import adamw_one_cycle

optim_wrapper, param_scheduler = adamw_one_cycle(lr=2e-3, epochs=12)
