_base_ = []

from mmaction_ext.datasets.pipelines import evaluation_loader, training_loader, tsn_test, tsn_train

# Kinetics-400. TCM's recipe was not read: windows of 64 frames as its code has them, ten in the
# test, each with the centre crop.
num_segments = 8
input_shape = (3, num_segments, 224, 224)
global_batch_size = 96
train_dataloader = training_loader(
    'videos', 'data/kinetics400', tsn_train(num_segments, 'videos', dense=True), 12)
val_dataloader = evaluation_loader(
    train_dataloader, 'data/kinetics400/val.txt', tsn_test(num_segments, 'videos', dense=True), 8)
test_dataloader = evaluation_loader(
    train_dataloader, 'data/kinetics400/val.txt',
    tsn_test(num_segments, 'videos', num_clips=10, dense=True), 1)
val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
