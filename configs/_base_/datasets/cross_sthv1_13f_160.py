_base_ = []

from mmaction_ext.datasets.pipelines import (
    cross_test, cross_train, evaluation_loader, training_loader)

# Something-Something V1 for the cross table; configs/cross/README.md argues it.
num_segments = 13
input_shape = (3, num_segments, 160, 160)
global_batch_size = 64
train_dataloader = training_loader(
    'rawframes', 'data/sthv1', cross_train(num_segments, 'NCTHW', 160), 8)
val_dataloader = evaluation_loader(
    train_dataloader, 'data/sthv1/val.txt', cross_test(num_segments, 'NCTHW', 160), 8)
test_dataloader = val_dataloader
val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
