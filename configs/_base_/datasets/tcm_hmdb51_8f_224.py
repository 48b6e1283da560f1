_base_ = []

from mmaction_ext.datasets.pipelines import evaluation_loader, training_loader, tsn_test, tsn_train

# HMDB51 in its three splits. TCM's recipe was not read: segments, and two clips in the test, as
# its code has them.
folds = ('split1', 'split2', 'split3')
num_segments = 8
input_shape = (3, num_segments, 224, 224)
global_batch_size = 64
train_dataloader = training_loader(
    'videos', 'data/hmdb51', tsn_train(num_segments, 'videos'), 8, 'train_{fold}.txt')
val_dataloader = evaluation_loader(
    train_dataloader, 'data/hmdb51/test_{fold}.txt', tsn_test(num_segments, 'videos'), 8)
test_dataloader = evaluation_loader(
    train_dataloader, 'data/hmdb51/test_{fold}.txt',
    tsn_test(num_segments, 'videos', num_clips=2), 4)
val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
