_base_ = []

from mmaction_ext.datasets.pipelines import (evaluation_loader, rawframe_test, rawframe_train,
                                             training_loader)

# Something-Something V1: one folder of JPEG frames (00001.jpg, ...) per video; annotation lines
# "<folder> <number of frames> <class id>". 13 segments at 160x160 for X3D-S (DCF section 4.1,
# appendix D). The jitter [256, 320] printed for 224 crops is scaled by 160/224.
data_root = 'data/sthv1'
num_segments = 13
input_shape = (3, num_segments, 160, 160)
global_batch_size = 128
train_dataloader = training_loader(
    'rawframes', data_root, rawframe_train(num_segments, 'NCTHW', 160, (182, 228)), 8)
val_dataloader = evaluation_loader(
    train_dataloader, f'{data_root}/val.txt', rawframe_test(num_segments, 'NCTHW', 160, 182), 8)
# the figures are those of the validation set: the test labels are not public
test_dataloader = val_dataloader
val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
