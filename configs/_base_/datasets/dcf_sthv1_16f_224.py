_base_ = []

from mmaction_ext.datasets.pipelines import (evaluation_loader, rawframe_test, rawframe_train,
                                             training_loader)

# Something-Something V1, 16 segments at 224x224, shorter side in [256, 320], one clip and the
# centre crop (DCF section 4.1). The batch is that of R(2+1)D (appendix D).
data_root = 'data/sthv1'
num_segments = 16
input_shape = (3, num_segments, 224, 224)
global_batch_size = 64
train_dataloader = training_loader(
    'rawframes', data_root, rawframe_train(num_segments, 'NCTHW', 224, (256, 320)), 8)
val_dataloader = evaluation_loader(
    train_dataloader, f'{data_root}/val.txt', rawframe_test(num_segments, 'NCTHW', 224, 256), 8)
# the figures are those of the validation set: the test labels are not public
test_dataloader = val_dataloader
val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
