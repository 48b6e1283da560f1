_base_ = './eco_lite_16f.py'

from mmaction_ext.datasets.pipelines import tsn_test, tsn_train

num_segments = 32
input_shape = (3, num_segments, 224, 224)
train_dataloader = dict(dataset=dict(pipeline=tsn_train(
    num_segments, 'rawframes', something=True, input_format='NCTHW')))
val_dataloader = dict(dataset=dict(pipeline=tsn_test(
    num_segments, 'rawframes', input_format='NCTHW')))
test_dataloader = val_dataloader
