_base_ = ['../../_base_/datasets/selfy_diving48_8f_224.py',
          '../../_base_/schedules/selfy_tsm_something.py', '../../_base_/default_runtime.py']

from mmaction_ext.datasets.mmaction2_pipelines import resized_crop_train
from mmaction_ext.datasets.pipelines import interval_clips, interval_test
from mmaction_ext.networks import slowfast

model = slowfast(num_classes=48, depth=101)
load_from = ('https://download.openmmlab.com/mmaction/v1.0/recognition/slowfast/'
             'slowfast_r101_8xb8-8x8x1-256e_kinetics400-rgb/'
             'slowfast_r101_8xb8-8x8x1-256e_kinetics400-rgb_20220901-9c0e09bd.pth')
input_shape = (3, 32, 256, 256)
train_dataloader = dict(dataset=dict(
    pipeline=resized_crop_train(interval_clips(input_shape[1], 2))))
val_dataloader = dict(dataset=dict(pipeline=interval_test(input_shape[1], 2, crop=224)))
test_dataloader = dict(batch_size=1, dataset=dict(
    pipeline=interval_test(input_shape[1], 2, num_clips=10, num_crops=3)))
