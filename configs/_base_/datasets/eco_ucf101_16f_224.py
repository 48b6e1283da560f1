_base_ = []

from mmaction_ext.datasets.pipelines import evaluation_loader, training_loader, tsn_test, tsn_train

# UCF101 in its three splits, 16 frames, one of each segment, as in the released code of ECO; one clip
# and the centre crop in the test.
folds = ('split1', 'split2', 'split3')
data_root = 'data/ucf101'
num_segments = 16
input_shape = (3, num_segments, 224, 224)
global_batch_size = 64
train_dataloader = training_loader(
    'videos', data_root,
    tsn_train(num_segments, 'videos', input_format='NCTHW'), 8, 'train_{fold}.txt')
val_dataloader = evaluation_loader(
    train_dataloader, f'{data_root}/test_{{fold}}.txt',
    tsn_test(num_segments, 'videos', input_format='NCTHW'), 8)
test_dataloader = val_dataloader
val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
