_base_ = '../dcf/table1_components/baseline.py'

from mmaction_ext.datasets.pipelines import synthmotion_hard
from mmaction_ext.networks import behind_convolution
from mmaction_ext.schedules import adamw_one_cycle

train_dataloader, val_dataloader, test_dataloader, test_evaluator = synthmotion_hard(
    {{_base_.num_segments}})
val_evaluator = test_evaluator
model = dict(
    backbone=behind_convolution(num_segments={{_base_.num_segments}}), cls_head=dict(num_classes=16))
train_cfg = dict(max_epochs=24)
optim_wrapper, param_scheduler = adamw_one_cycle(lr=2e-3, epochs=24)
