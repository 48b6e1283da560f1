_base_ = []

from mmaction_ext.datasets.pipelines import evaluation_loader, training_loader, tsn_test, tsn_train

# Kinetics-400, 16 frames, one of each segment, as in the released code of ECO; one clip
# and the centre crop in the test.
data_root = 'data/kinetics400'
num_segments = 16
input_shape = (3, num_segments, 224, 224)
global_batch_size = 64
train_dataloader = training_loader(
    'videos', data_root,
    tsn_train(num_segments, 'videos', input_format='NCTHW'), 8)
val_dataloader = evaluation_loader(
    train_dataloader, f'{data_root}/val.txt',
    tsn_test(num_segments, 'videos', input_format='NCTHW'), 8)
test_dataloader = val_dataloader
val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
