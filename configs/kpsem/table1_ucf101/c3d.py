_base_ = ['mmaction::_base_/models/c3d_sports1m_pretrained.py',
          '../../_base_/datasets/kpsem_ucf101_16f_224.py',
          '../../_base_/schedules/kpsem_mfnet_ucf101.py', '../../_base_/default_runtime.py']

from mmaction_ext.datasets.mfnet_pipelines import mfnet_test, mfnet_train

model = dict(cls_head=dict(num_classes=101))
optim_wrapper = dict(clip_grad=dict(max_norm=40, norm_type=2))
clip = dict(type='SampleFrames', clip_len=16, frame_interval=1)
input_shape = (3, clip['clip_len'], 112, 112)
train_dataloader = dict(dataset=dict(pipeline=mfnet_train(clip, crop=112)))
val_dataloader = dict(dataset=dict(pipeline=mfnet_test(clip, crop=112)))
test_dataloader = dict(dataset=dict(pipeline=mfnet_test(dict(clip, num_clips=10), crop=112)))
