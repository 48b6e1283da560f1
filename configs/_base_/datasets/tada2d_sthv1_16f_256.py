_base_ = []

from mmaction_ext.datasets.pipelines import (evaluation_loader, flipping_twice, tada_test,
                                             tada_train, training_loader)

# Something-Something V1 as in the released code of TAda2D, which has V2 alone: crops of 224 x 224 in
# training, two clips of three crops of 256 x 256 in the test. The batch is that of eight GPUs.
data_root = 'data/sthv1'
num_segments = 16
input_shape = (3, num_segments, 256, 256)
global_batch_size = 64
train_dataloader = training_loader(
    'rawframes', data_root, tada_train(num_segments, 'rawframes', None, flipping_twice()), 8)
val_dataloader = evaluation_loader(
    train_dataloader, f'{data_root}/val.txt', tada_test(num_segments, 'rawframes'), 8)
test_dataloader = evaluation_loader(
    train_dataloader, f'{data_root}/val.txt',
    tada_test(num_segments, 'rawframes', num_clips=2, num_crops=3), 1)
val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
