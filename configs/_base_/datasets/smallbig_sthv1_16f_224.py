_base_ = []

from mmaction_ext.datasets.pipelines import (evaluation_loader, segments_test, segments_train,
                                             training_loader)

# Something-Something V1 as in the released code of SmallBigNet, without flips. The figures are
# those of the validation set: one clip, centre crop, as the printed costs are.
data_root = 'data/sthv1'
num_segments = 16
input_shape = (3, num_segments, 224, 224)
global_batch_size = 64
train_dataloader = training_loader(
    'rawframes', data_root, segments_train(num_segments, 'rawframes'), 8)
val_dataloader = evaluation_loader(
    train_dataloader, f'{data_root}/val.txt', segments_test(num_segments, 'rawframes'), 8)
test_dataloader = val_dataloader
val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
