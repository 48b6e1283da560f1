_base_ = './tcm_r50_16f.py'

from mmaction_ext.datasets.pipelines import tsn_test

weights_of = 'tcm_r50_16f.py'
test_dataloader = dict(batch_size=4, dataset=dict(
    pipeline=tsn_test({{_base_.num_segments}}, 'videos', num_clips=2)))
