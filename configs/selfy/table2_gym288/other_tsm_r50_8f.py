_base_ = ['../../_base_/datasets/selfy_gym288_8f_224.py',
          '../../_base_/schedules/tsm_sth.py', '../../_base_/default_runtime.py']

from mmaction_ext.datasets.mmaction2_pipelines import frames_test, multi_scale_train
from mmaction_ext.networks import tsm_r50

model = tsm_r50(num_classes=288, num_segments={{_base_.num_segments}})
global_batch_size = 128
train_dataloader = dict(dataset=dict(pipeline=multi_scale_train('videos', {{_base_.num_segments}})))
val_dataloader = dict(dataset=dict(pipeline=frames_test('videos', {{_base_.num_segments}})))
test_dataloader = dict(dataset=dict(pipeline=frames_test('videos', {{_base_.num_segments}})))
