_base_ = '../weizmann/mobilenetv2/conv3d_time.py'

from mmaction_ext.datasets.pipelines import split_lists

train_dataloader, val_dataloader, test_dataloader = split_lists('data/weizmann', inner=True)
