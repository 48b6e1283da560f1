_base_ = []

from mmaction_ext.datasets.mmaction2_pipelines import resized_crop_train
from mmaction_ext.datasets.pipelines import evaluation_loader, training_loader, video_test

# Something-Something V2 for MViT as in mmaction2's config: 16 segments, no flip; one clip of three
# 224x224 crops in the test.
data_root = 'data/sthv2'
num_segments = 16
input_shape = (3, num_segments, 224, 224)
global_batch_size = 256
train_dataloader = training_loader(
    'videos', data_root,
    resized_crop_train(dict(type='SampleSegments', num_segments=num_segments), flip_ratio=0,
                       augment=True), 8)
val_dataloader = evaluation_loader(
    train_dataloader, f'{data_root}/val.txt', video_test(num_segments, 'NCTHW', 224, 256), 8)
test_dataloader = evaluation_loader(
    train_dataloader, f'{data_root}/val.txt',
    video_test(num_segments, 'NCTHW', 224, 224, num_crops=3), 1)
val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
