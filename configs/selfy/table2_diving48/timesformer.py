_base_ = [
    '../../_base_/datasets/selfy_diving48_8f_224.py',
    '../../_base_/schedules/timesformer_sth.py', '../../_base_/default_runtime.py']

from mmaction_ext.datasets.pipelines import video_test, video_train
from mmaction_ext.networks import timesformer

num_segments = 8
model = timesformer(num_classes=48, num_frames=num_segments, img_size=224)
input_shape = (3, num_segments, 224, 224)
train_dataloader = dict(dataset=dict(pipeline=video_train(
    num_segments, 'NCTHW', 224, (256, 320), flip_ratio=0.5)))
val_dataloader = dict(batch_size=1, dataset=dict(
    pipeline=video_test(num_segments, 'NCTHW', 224, 224)))
test_dataloader = dict(batch_size=1, dataset=dict(
    pipeline=video_test(num_segments, 'NCTHW', 224, 224, num_crops=3)))
