_base_ = []

from mmaction_ext.datasets.pipelines import evaluation_loader, rawframe_test, rawframe_train

# Something-Something V1: one folder of JPEG frames (00001.jpg, ...) per video; annotation lines
# "<folder> <number of frames> <class id>". 13 segments at 160x160 for X3D-S (DCF section 4.1,
# appendix D). The jitter [256, 320] printed for 224 crops is scaled by 160/224.
data_root = 'data/sthv1'
num_segments = 13
input_shape = (3, num_segments, 160, 160)
global_batch_size = 128

train_dataloader = dict(
    batch_size=8,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='RawframeDataset',
        ann_file=f'{data_root}/train.txt',
        data_prefix=dict(img=f'{data_root}/rawframes'),
        filename_tmpl='{:05}.jpg',
        pipeline=rawframe_train(num_segments, 'NCTHW', crop=160, short_side=(182, 228))))
val_dataloader = evaluation_loader(
    train_dataloader, f'{data_root}/val.txt',
    rawframe_test(num_segments, 'NCTHW', crop=160, short_side=182), 8)
# the figures are those of the validation set: the test labels are not public
test_dataloader = val_dataloader
val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
