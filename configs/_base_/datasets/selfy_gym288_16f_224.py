_base_ = []

from mmaction_ext.datasets.pipelines import evaluation_loader, training_loader, tsn_test, tsn_train

# FineGym288: clips of elements. SELFY's recipe was not read: that of Something-Something.
# `acc/mean1` is the accuracy averaged over classes, which FineGym is measured by.
num_segments = 16
input_shape = (3, num_segments, 224, 224)
global_batch_size = 64
train_dataloader = training_loader(
    'videos', 'data/gym288', tsn_train(num_segments, 'videos'), 8)
val_dataloader = evaluation_loader(
    train_dataloader, 'data/gym288/val.txt', tsn_test(num_segments, 'videos'), 8)
test_dataloader = val_dataloader
val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
