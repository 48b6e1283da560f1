_base_ = []

from mmaction_ext.datasets.pipelines import evaluation_loader, training_loader
from mmaction_ext.datasets.mfnet_pipelines import mfnet_test, mfnet_train

# UCF101 in its three splits. 16 frames, every second one, of 224x224
# (KPSEM section 4.2; MFNet's released code). 40 clips of each video are tested: see the README.
data_root = 'data/ucf101'
folds = ('split1', 'split2', 'split3')
clip = dict(type='SampleClips', clip_len=16, frame_interval=2)
input_shape = (3, clip['clip_len'], 224, 224)
global_batch_size = 80
train_dataloader = training_loader(
    'videos', data_root, mfnet_train(clip), 8, 'train_{fold}.txt')
val_dataloader = evaluation_loader(
    train_dataloader, f'{data_root}/test_{{fold}}.txt', mfnet_test(clip), 8)
test_dataloader = evaluation_loader(
    train_dataloader, f'{data_root}/test_{{fold}}.txt', mfnet_test(dict(clip, num_clips=40)), 1)
val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
