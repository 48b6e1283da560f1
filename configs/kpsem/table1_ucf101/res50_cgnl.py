_base_ = ['../../_base_/datasets/kpsem_ucf101_16f_224.py',
          '../../_base_/schedules/kpsem_mfnet_ucf101.py', '../../_base_/default_runtime.py']

from mmaction_ext.datasets.mfnet_pipelines import mfnet_test, mfnet_train
from mmaction_ext.networks import res50_cgnl

model = res50_cgnl(num_classes=101)
clip = dict(type='SampleFrames', clip_len=8, frame_interval=8)
input_shape = (3, clip['clip_len'], 224, 224)
train_dataloader = dict(dataset=dict(pipeline=mfnet_train(clip)))
val_dataloader = dict(dataset=dict(pipeline=mfnet_test(clip)))
test_dataloader = dict(dataset=dict(pipeline=mfnet_test(dict(clip, num_clips=10))))
