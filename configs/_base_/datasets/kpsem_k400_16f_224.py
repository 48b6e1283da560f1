_base_ = []

from mmaction_ext.datasets.pipelines import evaluation_loader, training_loader
from mmaction_ext.datasets.stretched_pipelines import stretched_test

# Kinetics-400 for testing alone: 40 clips of 16 frames, every second one, of 224x224, as the
# released code of MFNet takes them, but spread evenly and from the centre.
clip = dict(type='SampleClips', clip_len=16, frame_interval=2, num_clips=40)
input_shape = (3, 16, 224, 224)
test_dataloader = evaluation_loader(
    training_loader('videos', 'data/kinetics400', [], 1), 'data/kinetics400/val.txt',
    stretched_test(clip), 1)
test_evaluator = dict(type='AccMetric')
test_cfg = dict(type='TestLoop')
