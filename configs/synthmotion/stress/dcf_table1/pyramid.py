_base_ = '../../dcf/table1_components/pyramid.py'

from mmaction_ext.datasets.pipelines import stress_levels, synthmotion_sets

weights_of = '../../dcf/table1_components/pyramid.py'
folds = stress_levels()
test_dataloader, test_evaluator = synthmotion_sets('data/synthmotion_stress/{fold}')[2:]
