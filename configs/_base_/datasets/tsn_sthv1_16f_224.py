_base_ = []

from mmaction_ext.datasets.mmaction2_pipelines import frames_test, multi_scale_train
from mmaction_ext.datasets.pipelines import evaluation_loader, training_loader

# Something-Something V1 for TSN, TRN, TSM and TANet as in mmaction2's configs, 16 frames; one clip
# and the centre crop in the test. The batch is TSM's.
data_root = 'data/sthv1'
num_segments = 16
input_shape = (3, num_segments, 224, 224)
global_batch_size = 128
train_dataloader = training_loader(
    'rawframes', data_root,
    multi_scale_train('rawframes', num_segments, something=True), 8)
val_dataloader = evaluation_loader(
    train_dataloader, f'{data_root}/val.txt', frames_test('rawframes', num_segments), 8)
test_dataloader = val_dataloader
val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
