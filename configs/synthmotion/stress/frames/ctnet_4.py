_base_ = '../../cross/ctnet.py'

from mmaction_ext.datasets.pipelines import synthmotion_test

weights_of = '../../cross/ctnet.py'
num_segments = 4
input_shape = (3, num_segments, 64, 64)
model = dict(backbone=dict(num_segments=num_segments))
test_dataloader = dict(dataset=dict(pipeline=synthmotion_test(num_segments, 'NCHW')))
