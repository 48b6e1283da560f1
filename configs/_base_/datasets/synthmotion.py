_base_ = []

from mmaction_ext.datasets.pipelines import synthmotion_test, synthmotion_train

data_root = 'data/synthmotion'
num_segments = 8
input_shape = (3, num_segments, 64, 64)
global_batch_size = 8

train_dataloader = dict(
    batch_size=global_batch_size,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='VideoDataset',
        ann_file=f'{data_root}/train.txt',
        data_prefix=dict(video=f'{data_root}/videos'),
        pipeline=synthmotion_train(num_segments, 'NCHW')))
val_dataloader = dict(
    batch_size=16,
    num_workers=1,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='VideoDataset',
        ann_file=f'{data_root}/val.txt',
        data_prefix=dict(video=f'{data_root}/videos'),
        pipeline=synthmotion_test(num_segments, 'NCHW'),
        test_mode=True))
test_dataloader = dict(
    batch_size=16,
    num_workers=1,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='VideoDataset',
        ann_file=f'{data_root}/test.txt',
        data_prefix=dict(video=f'{data_root}/videos'),
        pipeline=synthmotion_test(num_segments, 'NCHW'),
        test_mode=True))
val_evaluator = [
    dict(type='AccMetric'),
    dict(type='SynthMotionMetric', meta_file=f'{data_root}/meta.csv'),
]
test_evaluator = val_evaluator
