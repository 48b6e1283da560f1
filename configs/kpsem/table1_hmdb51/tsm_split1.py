_base_ = ['../../_base_/models/tsm_r50.py', '../../_base_/datasets/kpsem_hmdb51_16f_224.py',
          '../../_base_/schedules/kpsem_mfnet_hmdb51.py', '../../_base_/default_runtime.py']

from mmaction_ext.datasets.stretched_pipelines import stretched_test, stretched_train

load_from = (
    'https://download.openmmlab.com/mmaction/v1.0/recognition/tsm/'
    'tsm_imagenet-pretrained-r50_8xb16-1x1x8-50e_kinetics400-rgb/'
    'tsm_imagenet-pretrained-r50_8xb16-1x1x8-50e_kinetics400-rgb_20220831-64d69186.pth')
model = dict(cls_head=dict(num_classes=51))
clip = None
segments = dict(type='SampleSegments', num_segments=8)
input_shape = (3, 8, 224, 224)
train_dataloader = dict(dataset=dict(pipeline=stretched_train(segments, 'NCHW')))
val_dataloader = dict(dataset=dict(pipeline=stretched_test(segments, 'NCHW')))
test_dataloader = dict(dataset=dict(pipeline=stretched_test(segments, 'NCHW')))
