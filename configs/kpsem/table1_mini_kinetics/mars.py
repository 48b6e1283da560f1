_base_ = ['../../_base_/datasets/kpsem_minikinetics_16f_224.py',
          '../../_base_/schedules/mars_finetune.py', '../../_base_/default_runtime.py']

from mmaction_ext.datasets.mars_pipelines import mars_test, mars_train
from mmaction_ext.networks import mars

model = mars(num_classes=200)
load_from = 'checkpoints/mars_k400.pth'
global_batch_size = 16
clip = dict(type='SampleFrames', clip_len=64, frame_interval=1)
input_shape = (3, clip['clip_len'], 112, 112)
train_dataloader = dict(dataset=dict(pipeline=mars_train(clip)))
val_dataloader = dict(dataset=dict(pipeline=mars_test(clip)))
test_dataloader = dict(dataset=dict(pipeline=mars_test(dict(clip, num_clips=10))))
