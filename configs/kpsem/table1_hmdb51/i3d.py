_base_ = ['mmaction::_base_/models/i3d_r50.py', '../../_base_/datasets/kpsem_hmdb51_splits_16f_224.py',
          '../../_base_/schedules/kpsem_mfnet_hmdb51.py', '../../_base_/default_runtime.py']

from mmaction_ext.datasets.mfnet_pipelines import mfnet_test, mfnet_train

load_from = (
    'https://download.openmmlab.com/mmaction/v1.0/recognition/i3d/'
    'i3d_imagenet-pretrained-r50_8xb8-32x2x1-100e_kinetics400-rgb/'
    'i3d_imagenet-pretrained-r50_8xb8-32x2x1-100e_kinetics400-rgb_20220812-e213c223.pth')
model = dict(cls_head=dict(num_classes=51))
clip = dict(type='SampleFrames', clip_len=32, frame_interval=2)
input_shape = (3, clip['clip_len'], 224, 224)
train_dataloader = dict(dataset=dict(pipeline=mfnet_train(clip)))
val_dataloader = dict(dataset=dict(pipeline=mfnet_test(clip)))
test_dataloader = dict(dataset=dict(pipeline=mfnet_test(dict(clip, num_clips=10))))
