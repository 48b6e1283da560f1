_base_ = './synthmotion.py'

from mmaction_ext.datasets.pipelines import synthmotion_test, synthmotion_train

# SynthMotion for TDN: five frames in a row around each of 8, as the channels of one.
num_segments = 8
input_shape = (15, num_segments, 64, 64)
train_dataloader = dict(
    dataset=dict(pipeline=synthmotion_train(num_segments, 'NCHW', consecutive=5)))
val_dataloader = dict(
    dataset=dict(pipeline=synthmotion_test(num_segments, 'NCHW', consecutive=5)))
test_dataloader = dict(
    dataset=dict(pipeline=synthmotion_test(num_segments, 'NCHW', consecutive=5)))
