_base_ = ['../../_base_/models/kpsem_i3d_nl.py', '../../_base_/datasets/kpsem_sthv1_16f_224.py',
          '../../_base_/schedules/kpsem_mfnet_ucf101.py', '../../_base_/default_runtime.py']

from mmaction_ext.datasets.stretched_pipelines import stretched_test, stretched_train

load_from = (
    'https://download.openmmlab.com/mmaction/v1.0/recognition/i3d/'
    'i3d_imagenet-pretrained-r50-nl-dot-product_8xb8-32x2x1-100e_kinetics400-rgb/'
    'i3d_imagenet-pretrained-r50-nl-dot-product_8xb8-32x2x1-100e'
    '_kinetics400-rgb_20220812-8e1f2148.pth')
model = dict(cls_head=dict(num_classes=174))
segments = dict(type='SampleSegments', num_segments=32)
input_shape = (3, 32, 224, 224)
train_dataloader = dict(dataset=dict(
    pipeline=stretched_train(segments, media='rawframes', something=True)))
val_dataloader = dict(dataset=dict(pipeline=stretched_test(segments, media='rawframes')))
test_dataloader = dict(dataset=dict(pipeline=stretched_test(segments, media='rawframes')))
