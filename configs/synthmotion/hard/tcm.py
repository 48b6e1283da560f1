_base_ = '../tcm/ablation_components/full.py'

from mmaction_ext.datasets.pipelines import synthmotion_sets

train_dataloader, val_dataloader, test_dataloader, test_evaluator = synthmotion_sets(
    'data/synthmotion_stress/hard')
val_evaluator = test_evaluator
