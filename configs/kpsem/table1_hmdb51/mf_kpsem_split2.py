_base_ = './mf_kpsem_split1.py'

from mmaction_ext.datasets.pipelines import split_lists

train_dataloader, val_dataloader, test_dataloader = split_lists('data/hmdb51', 2)
