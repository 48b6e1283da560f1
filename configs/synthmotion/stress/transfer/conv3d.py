_base_ = '../../cross/conv3d.py'

from mmaction_ext.datasets.pipelines import synthmotion_sets

folds = ('slow', 'fast')
train_dataloader = synthmotion_sets('data/synthmotion_stress/{fold}')[0]
