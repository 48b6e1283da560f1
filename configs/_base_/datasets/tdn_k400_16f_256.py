_base_ = []

from mmaction_ext.datasets.pipelines import (evaluation_loader, segments_test, segments_train,
                                             training_loader)

# Kinetics-400 as in the released code of TDN: five frames of each of 16 segments of the whole video;
# ten random clips of three crops of 256x256 in the test.
data_root = 'data/kinetics400'
num_segments = 16
input_shape = (15, num_segments, 256, 256)
global_batch_size = 128
train_dataloader = training_loader(
    'videos', data_root,
    segments_train(num_segments, 'videos', dict(type='Flip', flip_ratio=0.5), consecutive=5), 16)
val_dataloader = evaluation_loader(
    train_dataloader, f'{data_root}/val.txt',
    segments_test(num_segments, 'videos', consecutive=5), 8)
test_dataloader = evaluation_loader(
    train_dataloader, f'{data_root}/val.txt',
    segments_test(num_segments, 'videos', views=True, consecutive=5), 1)
val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
