_base_ = '../../cross/conv3d.py'

from mmaction_ext.datasets.pipelines import synthmotion_test

weights_of = '../../cross/conv3d.py'
num_segments = 16
input_shape = (3, num_segments, 64, 64)
model = dict(backbone=dict(num_segments=num_segments))
test_dataloader = dict(dataset=dict(pipeline=synthmotion_test(num_segments, 'NCHW')))
