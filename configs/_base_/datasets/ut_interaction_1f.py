_base_ = './ut_interaction.py'

from mmaction_ext.datasets.pipelines import squashed_loaders

num_segments = 1
input_shape = (3, num_segments, 96, 96)
train_dataloader, val_dataloader, test_dataloader = squashed_loaders(
    'data/ut_interaction', num_segments, 96, 8)
