_base_ = ['mmaction::_base_/models/i3d_r50.py', '../../_base_/datasets/selfy_gym99_8f_224.py',
          '../../_base_/schedules/i3d_k400.py', '../../_base_/default_runtime.py']

from mmaction_ext.datasets.pipelines import video_test, video_train

model = dict(cls_head=dict(num_classes=99))
num_segments = 32
input_shape = (3, num_segments, 224, 224)
train_dataloader = dict(dataset=dict(pipeline=video_train(
    num_segments, 'NCTHW', 224, (256, 320), flip_ratio=0.5)))
val_dataloader = dict(dataset=dict(pipeline=video_test(num_segments, 'NCTHW', 224, 256)))
test_dataloader = dict(dataset=dict(pipeline=video_test(num_segments, 'NCTHW', 224, 256)))
