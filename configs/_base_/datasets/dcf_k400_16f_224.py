_base_ = []

from mmaction_ext.datasets.pipelines import (evaluation_loader, interval_test, interval_train,
                                             training_loader)

# Kinetics-400, 16 frames at an interval of 5; crops of 224x224 in training, 10 clips of three
# 256x256 crops in the test (DCF section 4.1). The batch is that of R(2+1)D (appendix D).
data_root = 'data/kinetics400'
input_shape = (3, 16, 256, 256)
global_batch_size = 128
train_dataloader = training_loader(
    'videos', data_root, interval_train(input_shape[1], 5, 224, (256, 320)), 8)
val_dataloader = evaluation_loader(
    train_dataloader, f'{data_root}/val.txt', interval_test(input_shape[1], 5), 8)
test_dataloader = evaluation_loader(
    train_dataloader, f'{data_root}/val.txt',
    interval_test(input_shape[1], 5, num_clips=10, num_crops=3), 1)
val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
