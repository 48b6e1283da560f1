_base_ = []

from mmaction_ext.datasets.pipelines import (evaluation_loader, training_loader, video_test,
                                             video_train)

# Something-Something V2 for TimeSformer-HR: 16 segments at 448x448, shorter side in [448, 512] as
# in its released code, no flip; one clip of three crops in the test.
data_root = 'data/sthv2'
num_segments = 16
input_shape = (3, num_segments, 448, 448)
global_batch_size = 64
train_dataloader = training_loader(
    'videos', data_root, video_train(num_segments, 'NCTHW', 448, (448, 512)), 8)
val_dataloader = evaluation_loader(
    train_dataloader, f'{data_root}/val.txt', video_test(num_segments, 'NCTHW', 448, 448), 2)
test_dataloader = evaluation_loader(
    train_dataloader, f'{data_root}/val.txt',
    video_test(num_segments, 'NCTHW', 448, 448, num_crops=3), 1)
val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
