_base_ = []

from mmaction_ext.datasets.pipelines import evaluation_loader, training_loader
from mmaction_ext.datasets.mfnet_pipelines import mfnet_test, mfnet_train

# Kinetics-400 as the released code of MFNet takes it: 16 frames of 224x224, in training 1, 2, 2 or
# 3 apart, in tests 2; 40 clips of each video are tested, but spread evenly and from the centre.
data_root = 'data/kinetics400'
clip = dict(type='SampleClips', clip_len=16, frame_interval=2)
some_clip = dict(type='RandomChoice', prob=[0.25, 0.5, 0.25],
                 transforms=[[dict(clip, frame_interval=interval)] for interval in (1, 2, 3)])
input_shape = (3, clip['clip_len'], 224, 224)
global_batch_size = 128
train_dataloader = training_loader('videos', data_root, mfnet_train(some_clip), 16)
val_dataloader = evaluation_loader(
    train_dataloader, f'{data_root}/val.txt', mfnet_test(clip), 16)
test_dataloader = evaluation_loader(
    train_dataloader, f'{data_root}/val.txt', mfnet_test(dict(clip, num_clips=40)), 1)
val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
