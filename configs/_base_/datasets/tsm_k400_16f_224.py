_base_ = []

from mmaction_ext.datasets.mmaction2_pipelines import frames_test, multi_scale_train
from mmaction_ext.datasets.pipelines import evaluation_loader, training_loader

# Kinetics-400 for TSM as in mmaction2's dense configs: 16 frames of 64; ten clips of three 256x256
# crops in the test.
data_root = 'data/kinetics400'
num_segments = 16
input_shape = (3, num_segments, 256, 256)
global_batch_size = 128
train_dataloader = training_loader(
    'videos', data_root,
    multi_scale_train('videos', num_segments, dense=True), 8)
val_dataloader = evaluation_loader(
    train_dataloader, f'{data_root}/val.txt', frames_test('videos', num_segments, dense=True), 8)
test_dataloader = evaluation_loader(
    train_dataloader, f'{data_root}/val.txt',
    frames_test('videos', num_segments, crop=256, num_crops=3, dense=True), 1)
val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
