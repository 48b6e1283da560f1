_base_ = [
    '../../_base_/datasets/tsn_sthv1_8f_224.py',
    '../../_base_/schedules/tsn_sth.py',
    '../../_base_/default_runtime.py',
]

from mmaction_ext.datasets.mmaction2_pipelines import multi_scale_train
from mmaction_ext.networks import tsn_r50

model = tsn_r50(num_classes=174)
global_batch_size = 256
train_dataloader = dict(dataset=dict(pipeline=multi_scale_train(
    'rawframes', {{_base_.num_segments}}, something=True, places=5)))
