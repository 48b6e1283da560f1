_base_ = './kpsem_sthv1_16f_224.py'

from mmaction_ext.datasets.stretched_pipelines import stretched_test, stretched_train

# Something-Something V1 as in that file, with 32 frames.
segments = dict(type='SampleSegments', num_segments=32)
input_shape = (3, segments['num_segments'], 224, 224)
train_dataloader = dict(dataset=dict(
    pipeline=stretched_train(segments, media='rawframes', something=True)))
val_dataloader = dict(dataset=dict(pipeline=stretched_test(segments, media='rawframes')))
test_dataloader = dict(dataset=dict(pipeline=stretched_test(segments, media='rawframes')))
