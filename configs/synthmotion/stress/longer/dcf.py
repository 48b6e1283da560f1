_base_ = '../../longer/dcf_24.py'

from mmaction_ext.datasets.pipelines import stress_levels, synthmotion_sets

weights_of = '../../longer/dcf_24.py'
folds = stress_levels()
test_dataloader, test_evaluator = synthmotion_sets('data/synthmotion_stress/{fold}')[2:]
