_base_ = './kpsem_hmdb51_splits_16f_224.py'

from mmaction_ext.datasets.mfnet_pipelines import mfnet_test, mfnet_train

# HMDB51 for networks that see one frame of each of 8 segments; one clip of each video is tested.
clip, segments = None, dict(type='SampleSegments', num_segments=8)
input_shape = (3, segments['num_segments'], 224, 224)
train_dataloader = dict(dataset=dict(pipeline=mfnet_train(segments, 'NCHW')))
val_dataloader = dict(dataset=dict(pipeline=mfnet_test(segments, 'NCHW')))
test_dataloader = dict(dataset=dict(pipeline=mfnet_test(segments, 'NCHW')))
