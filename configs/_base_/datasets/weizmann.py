_base_ = []

from mmaction_ext.datasets.pipelines import squashed_loaders

# One person is left out of training, who is the test. Validation is the test: nothing is chosen
# by it, the last epoch counts.
folds = ('daria', 'denis', 'eli', 'ido', 'ira', 'lena', 'lyova', 'moshe', 'shahar')
data_root = 'data/weizmann'
num_classes = 10
num_segments = 8
input_shape = (3, num_segments, 96, 96)
global_batch_size = 8
train_dataloader, val_dataloader, test_dataloader = squashed_loaders(
    data_root, num_segments, 96, global_batch_size)
val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
