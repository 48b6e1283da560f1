_base_ = []

from mmaction_ext.datasets.pipelines import squashed_loaders

# One sequence is left out of its set, of which set 1 has the first ten; or one set tests the
# other. Validation is the test: nothing is chosen by it, the last epoch counts.
folds = (*(f'seq{number}' for number in range(1, 21)), 'set1_to_set2', 'set2_to_set1')
data_root = 'data/ut_interaction'
num_classes = 6
num_segments = 8
input_shape = (3, num_segments, 96, 96)
global_batch_size = 8
train_dataloader, val_dataloader, test_dataloader = squashed_loaders(
    data_root, num_segments, 96, global_batch_size)
val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
