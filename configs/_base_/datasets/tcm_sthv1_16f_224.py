_base_ = []

from mmaction_ext.datasets.pipelines import evaluation_loader, training_loader, tsn_test, tsn_train

# Something-Something V1 as in the released code of TCM. The figures are those of the
# validation set: the test labels are not public.
num_segments = 16
input_shape = (3, num_segments, 224, 224)
global_batch_size = 32
train_dataloader = training_loader(
    'rawframes', 'data/sthv1', tsn_train(num_segments, 'rawframes', something=True), 4)
val_dataloader = evaluation_loader(
    train_dataloader, 'data/sthv1/val.txt', tsn_test(num_segments, 'rawframes'), 8)
test_dataloader = val_dataloader
val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
