_base_ = '../kpsem/table2a_regions/kpsem.py'

from mmaction_ext.datasets.pipelines import stress_levels, synthmotion_sets

weights_of = '../kpsem/table2a_regions/kpsem.py'
folds = stress_levels()
test_dataloader, test_evaluator = synthmotion_sets('data/synthmotion_stress/{fold}')[2:]
