_base_ = '../weizmann/mobilenetv2/dcf.py'

from mmaction_ext.datasets.pipelines import split_lists
from mmaction_ext.schedules import adamw_one_cycle

train_dataloader, val_dataloader, test_dataloader = split_lists('data/weizmann', inner=True)
optim_wrapper, param_scheduler = adamw_one_cycle(lr=1e-3, epochs=12, module_lr_mult=100)
