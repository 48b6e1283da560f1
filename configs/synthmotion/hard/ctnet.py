_base_ = '../cross/ctnet.py'

from mmaction_ext.datasets.pipelines import synthmotion_hard

train_dataloader, val_dataloader, test_dataloader, test_evaluator = synthmotion_hard(
    {{_base_.num_segments}})
val_evaluator = test_evaluator
model = dict(cls_head=dict(num_classes=16))
