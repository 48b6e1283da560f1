_base_ = []

from mmaction_ext.datasets.mmaction2_pipelines import resized_crop_train
from mmaction_ext.datasets.pipelines import (evaluation_loader, interval_clips, interval_test,
                                             training_loader)

# Kinetics-400 for MViT 16x4 as in mmaction2's config: 16 frames at an interval of 4, each video
# twice in a batch with other augmentation; 5 clips of the 224x224 centre crop in the test.
data_root = 'data/kinetics400'
input_shape = (3, 16, 224, 224)
global_batch_size = 256
val_dataloader = evaluation_loader(
    training_loader('videos', data_root, [], 8), f'{data_root}/val.txt',
    interval_test(input_shape[1], 4, crop=224), 8)
test_dataloader = evaluation_loader(
    val_dataloader, f'{data_root}/val.txt',
    interval_test(input_shape[1], 4, crop=224, short_side=224, num_clips=5), 1)
train_dataloader = dict(
    training_loader('videos', data_root, [], 8),
    collate_fn=dict(type='repeat_pseudo_collate'),
    dataset=dict(
        type='RepeatedVideoDataset', num_repeats=2, delimiter='\t',
        ann_file=f'{data_root}/train.txt', data_prefix=dict(video=f'{data_root}/videos'),
        pipeline=resized_crop_train(interval_clips(input_shape[1], 4), augment=True)))
val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
