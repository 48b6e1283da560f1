_base_ = [
    '../../_base_/models/slowfast_r50.py', '../../_base_/datasets/selfy_diving48_8f_224.py',
    '../../_base_/schedules/selfy_tsm_something.py', '../../_base_/default_runtime.py']

from mmaction_ext.datasets.comparison_pipelines import resized_crop_train
from mmaction_ext.datasets.pipelines import interval_clips, interval_test

load_from = ('https://download.openmmlab.com/mmaction/v1.0/recognition/slowfast/'
             'slowfast_r101_8xb8-8x8x1-256e_kinetics400-rgb/'
             'slowfast_r101_8xb8-8x8x1-256e_kinetics400-rgb_20220901-9c0e09bd.pth')
model = dict(backbone=dict(slow_pathway=dict(depth=101), fast_pathway=dict(depth=101)),
             cls_head=dict(num_classes=48))
input_shape = (3, 32, 256, 256)
train_dataloader = dict(dataset=dict(pipeline=resized_crop_train(interval_clips(32, 2))))
val_dataloader = dict(dataset=dict(pipeline=interval_test(32, 2, crop=224)))
test_dataloader = dict(batch_size=1, dataset=dict(
    pipeline=interval_test(32, 2, num_clips=10, num_crops=3)))
