_base_ = []

from mmaction_ext.datasets.pipelines import (evaluation_loader, interval_test, interval_train,
                                             training_loader)

# Something-Something V2 for CorrNet, our construction: 32 neighbouring frames, scale jitter as for
# DCF, no flips; ten clips of three crops in the test, the 30 views of DCF's Table 4.
data_root = 'data/sthv2'
input_shape = (3, 32, 224, 224)
global_batch_size = 64
train_dataloader = training_loader(
    'videos', data_root,
    interval_train(input_shape[1], 1, 224, (256, 320), 'videos', flip_ratio=0), 8)
val_dataloader = evaluation_loader(
    train_dataloader, f'{data_root}/val.txt',
    interval_test(input_shape[1], 1, crop=224, media='videos'), 8)
test_dataloader = evaluation_loader(
    train_dataloader, f'{data_root}/val.txt',
    interval_test(input_shape[1], 1, 224, num_clips=10, num_crops=3, media='videos'), 1)
val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
