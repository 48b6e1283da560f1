_base_ = '../../dcf/table1_components/baseline.py'

from mmaction_ext.datasets.pipelines import stress_levels, synthmotion_sets
from mmaction_ext.schedules import adamw_one_cycle

train_cfg = dict(max_epochs=24)
optim_wrapper, param_scheduler = adamw_one_cycle(lr=2e-3, epochs=24)
weights_of = '../../longer/none_24.py'
folds = stress_levels()
test_dataloader, test_evaluator = synthmotion_sets('data/synthmotion_stress/{fold}')[2:]
