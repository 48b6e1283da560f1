_base_ = './s3d_split1.py'

from mmaction_ext.datasets.pipelines import split_lists

train_dataloader, val_dataloader, test_dataloader = split_lists('data/hmdb51', 3)
