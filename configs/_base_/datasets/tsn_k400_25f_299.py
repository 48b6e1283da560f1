_base_ = []

from mmaction_ext.datasets.mmaction2_pipelines import frames_test, multi_scale_train
from mmaction_ext.datasets.pipelines import evaluation_loader, training_loader

# Kinetics-400 for TSN as in mmaction2's configs: 3 frames in training, 25 frames of ten crops in
# the test, at the 299x299 of Inception-V3. A view is one frame.
data_root = 'data/kinetics400'
num_segments = 3
input_shape = (3, 1, 299, 299)
global_batch_size = 256
train_dataloader = training_loader(
    'videos', data_root,
    multi_scale_train('videos', num_segments, crop=299, places=5), 8)
val_dataloader = evaluation_loader(
    train_dataloader, f'{data_root}/val.txt',
    frames_test('videos', num_segments, crop=299, short_side=341), 8)
test_dataloader = evaluation_loader(
    train_dataloader, f'{data_root}/val.txt',
    frames_test('videos', 25, crop=299, num_crops=10, short_side=341), 1)
val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
