_base_ = './weizmann.py'

from mmaction_ext.datasets.pipelines import squashed_loaders

num_segments = 1
input_shape = (3, num_segments, 96, 96)
train_dataloader, val_dataloader, test_dataloader = squashed_loaders(
    'data/weizmann', num_segments, 96, 8)
