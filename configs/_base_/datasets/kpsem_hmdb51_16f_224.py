_base_ = []

from mmaction_ext.datasets.pipelines import evaluation_loader, training_loader
from mmaction_ext.datasets.mfnet_pipelines import mfnet_test, mfnet_train

# HMDB51, split 1; kpsem_hmdb51_splits_16f_224.py has all. 16 frames, every second one, of
# 224x224 (KPSEM section 4.2; MFNet's released code). 40 clips of each video are tested: see the README.
data_root = 'data/hmdb51'
clip = dict(type='SampleClips', clip_len=16, frame_interval=2)
input_shape = (3, clip['clip_len'], 224, 224)
global_batch_size = 128
train_dataloader = training_loader(
    'videos', data_root, mfnet_train(clip), 8, 'train_split1.txt')
val_dataloader = evaluation_loader(
    train_dataloader, f'{data_root}/test_split1.txt', mfnet_test(clip), 8)
test_dataloader = evaluation_loader(
    train_dataloader, f'{data_root}/test_split1.txt', mfnet_test(dict(clip, num_clips=40)), 1)
val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
