_base_ = []

from mmaction_ext.datasets.mmaction2_pipelines import resized_crop_train
from mmaction_ext.datasets.pipelines import (evaluation_loader, interval_clips, interval_test,
                                             training_loader)

# Kinetics-400 for SlowFast 8x8 as in mmaction2's config: 32 frames at an interval of 2, of which
# the slow pathway sees 8; 10 clips of three 256x256 crops in the test.
data_root = 'data/kinetics400'
input_shape = (3, 32, 256, 256)
global_batch_size = 64
train_dataloader = training_loader(
    'videos', data_root, resized_crop_train(interval_clips(input_shape[1], 2)), 8)
val_dataloader = evaluation_loader(
    train_dataloader, f'{data_root}/val.txt', interval_test(input_shape[1], 2, crop=224), 8)
test_dataloader = evaluation_loader(
    train_dataloader, f'{data_root}/val.txt',
    interval_test(input_shape[1], 2, num_clips=10, num_crops=3), 1)
val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
