_base_ = ['../../_base_/models/trn_r50.py', '../../_base_/datasets/selfy_gym99_8f_224.py',
          '../../_base_/schedules/trn_sth.py', '../../_base_/default_runtime.py']

from mmaction_ext.datasets.comparison_pipelines import frames_test, multi_scale_train

model = dict(cls_head=dict(num_classes=99))
global_batch_size = 128
train_dataloader = dict(dataset=dict(pipeline=multi_scale_train('videos', 8)))
val_dataloader = dict(dataset=dict(pipeline=frames_test('videos', 8)))
test_dataloader = dict(dataset=dict(pipeline=frames_test('videos', 8)))
