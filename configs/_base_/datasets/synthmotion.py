_base_ = []

from mmaction_ext.datasets.pipelines import evaluation_loader, synthmotion_test, synthmotion_train

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
val_dataloader = evaluation_loader(
    train_dataloader, f'{data_root}/val.txt', synthmotion_test(num_segments, 'NCHW'), 16)
test_dataloader = evaluation_loader(
    train_dataloader, f'{data_root}/test.txt', synthmotion_test(num_segments, 'NCHW'), 16)
val_evaluator = [
    dict(type='AccMetric'),
    dict(type='SynthMotionMetric', meta_file=f'{data_root}/meta.csv'),
]
test_evaluator = val_evaluator
