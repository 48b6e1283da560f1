_base_ = './tcm_r50_split1.py'

from mmaction_ext.datasets.pipelines import split_lists

train_dataloader, val_dataloader, test_dataloader = split_lists('data/hmdb51', 2)
