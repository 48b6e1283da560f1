_base_ = ['../../_base_/datasets/kpsem_sthv1_16f_224.py',
          '../../_base_/schedules/kpsem_mfnet_ucf101.py', '../../_base_/default_runtime.py']

from mmaction_ext.datasets.mfnet_pipelines import mfnet_test, mfnet_train
from mmaction_ext.networks import s3d

model = s3d(num_classes=174)
segments = dict(type='SampleSegments', num_segments=64)
input_shape = (3, segments['num_segments'], 224, 224)
train_dataloader = dict(dataset=dict(
    pipeline=mfnet_train(segments, media='rawframes', something=True)))
val_dataloader = dict(dataset=dict(pipeline=mfnet_test(segments, media='rawframes')))
test_dataloader = dict(dataset=dict(pipeline=mfnet_test(segments, media='rawframes')))
