_base_ = '../../cross/ctnet.py'

from mmaction_ext.datasets.pipelines import synthmotion_sets

folds = ('slow', 'fast')
train_dataloader = synthmotion_sets('data/synthmotion_stress/{fold}')[0]
