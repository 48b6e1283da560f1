_base_ = []

from mmaction_ext.datasets.pipelines import evaluation_loader, training_loader
from mmaction_ext.datasets.mfnet_pipelines import mfnet_test, mfnet_train

# Something-Something V1, a frame of each of 16 segments: every second frame, as on the other data
# sets, would make stills of all videos under 31 frames. One clip of the validation set is tested.
data_root = 'data/sthv1'
segments = dict(type='SampleSegments', num_segments=16)
input_shape = (3, segments['num_segments'], 224, 224)
global_batch_size = 64
train_dataloader = training_loader(
    'rawframes', data_root, mfnet_train(segments, media='rawframes', something=True), 8)
val_dataloader = evaluation_loader(
    train_dataloader, f'{data_root}/val.txt', mfnet_test(segments, media='rawframes'), 8)
test_dataloader = val_dataloader
val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
