_base_ = []

from mmaction_ext.datasets.pipelines import (evaluation_loader, segments_test, segments_train,
                                             training_loader)

# Something-Something V2 as in the released code of CT-Net: crops of 256 x 256, no flip, one clip of
# the centre crop in the test.
data_root = 'data/sthv2'
num_segments = 8
input_shape = (3, num_segments, 256, 256)
global_batch_size = 64
train_dataloader = training_loader(
    'videos', data_root, segments_train(num_segments, 'videos', crop=256), 8)
val_dataloader = evaluation_loader(
    train_dataloader, f'{data_root}/val.txt', segments_test(num_segments, 'videos', crop=256), 8)
test_dataloader = val_dataloader
val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
