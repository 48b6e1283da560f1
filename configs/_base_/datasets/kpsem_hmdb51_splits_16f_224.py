_base_ = './kpsem_hmdb51_16f_224.py'

from mmaction_ext.datasets.pipelines import split_lists

# HMDB51 in its three splits
folds = ('split1', 'split2', 'split3')
train_dataloader, val_dataloader, test_dataloader = split_lists('data/hmdb51')
