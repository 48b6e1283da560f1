_base_ = ['../../_base_/datasets/kpsem_hmdb51_splits_16f_224.py',
          '../../_base_/schedules/kpsem_mfnet_hmdb51.py', '../../_base_/default_runtime.py']

from mmaction_ext.datasets.mfnet_pipelines import mfnet_test, mfnet_train
from mmaction_ext.networks import s3d

model = s3d(num_classes=51)
clip = dict(type='SampleFrames', clip_len=64, frame_interval=1)
input_shape = (3, clip['clip_len'], 224, 224)
train_dataloader = dict(dataset=dict(pipeline=mfnet_train(clip)))
val_dataloader = dict(dataset=dict(pipeline=mfnet_test(clip)))
test_dataloader = dict(dataset=dict(pipeline=mfnet_test(dict(clip, num_clips=10))))
