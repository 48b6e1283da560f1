_base_ = './synthmotion.py'

from mmaction_ext.datasets.pipelines import synthmotion_test, synthmotion_train

# SynthMotion with 4 frames of its 24.
num_segments = 4
input_shape = (3, num_segments, 64, 64)
train_dataloader = dict(dataset=dict(pipeline=synthmotion_train(num_segments, 'NCHW')))
val_dataloader = dict(dataset=dict(pipeline=synthmotion_test(num_segments, 'NCHW')))
test_dataloader = dict(dataset=dict(pipeline=synthmotion_test(num_segments, 'NCHW')))
