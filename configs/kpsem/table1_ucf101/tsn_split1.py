_base_ = ['../../_base_/models/tsn_r50.py', '../../_base_/datasets/kpsem_ucf101_16f_224.py',
          '../../_base_/schedules/kpsem_mfnet_ucf101.py', '../../_base_/default_runtime.py']

from mmaction_ext.datasets.stretched_pipelines import stretched_test, stretched_train

load_from = (
    'https://download.openmmlab.com/mmaction/v1.0/recognition/tsn/'
    'tsn_imagenet-pretrained-r50_8xb32-1x1x8-100e_kinetics400-rgb/'
    'tsn_imagenet-pretrained-r50_8xb32-1x1x8-100e_kinetics400-rgb_20220906-2692d16c.pth')
model = dict(cls_head=dict(num_classes=101))
clip = None
segments = dict(type='SampleSegments', num_segments=8)
input_shape = (3, 8, 224, 224)
train_dataloader = dict(dataset=dict(pipeline=stretched_train(segments, 'NCHW')))
val_dataloader = dict(dataset=dict(pipeline=stretched_test(segments, 'NCHW')))
test_dataloader = dict(dataset=dict(pipeline=stretched_test(segments, 'NCHW')))
