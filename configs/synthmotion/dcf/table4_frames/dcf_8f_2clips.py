_base_ = '../table1_components/full.py'

from mmaction_ext.datasets.pipelines import synthmotion_test

weights_of = '../table1_components/full.py'
test_dataloader = dict(dataset=dict(pipeline=synthmotion_test(
    {{_base_.num_segments}}, 'NCHW', twice=True)))
