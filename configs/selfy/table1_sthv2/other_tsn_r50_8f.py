_base_ = [
    '../../_base_/models/tsn_r50.py',
    '../../_base_/datasets/tsn_sthv2_8f_224.py',
    '../../_base_/schedules/tsn_sth.py',
    '../../_base_/default_runtime.py',
]

from mmaction_ext.datasets.comparison_pipelines import multi_scale_train

global_batch_size = 256
train_dataloader = dict(
    dataset=dict(pipeline=multi_scale_train('videos', 8, something=True, places=5)))
