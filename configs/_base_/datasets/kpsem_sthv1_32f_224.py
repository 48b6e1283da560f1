_base_ = './kpsem_sthv1_16f_224.py'

from mmaction_ext.datasets.mfnet_pipelines import mfnet_test, mfnet_train

# Something-Something V1 as in that file, with 32 frames.
segments = dict(type='SampleSegments', num_segments=32)
input_shape = (3, segments['num_segments'], 224, 224)
train_dataloader = dict(dataset=dict(
    pipeline=mfnet_train(segments, media='rawframes', something=True)))
val_dataloader = dict(dataset=dict(pipeline=mfnet_test(segments, media='rawframes')))
test_dataloader = dict(dataset=dict(pipeline=mfnet_test(segments, media='rawframes')))
