_base_ = ['../../_base_/datasets/kpsem_minikinetics_16f_224.py',
          '../../_base_/schedules/kpsem_mfnet_ucf101.py', '../../_base_/default_runtime.py']

from mmaction_ext.datasets.mfnet_pipelines import mfnet_test, mfnet_train
from mmaction_ext.networks import res50_cgd

clip = dict(type='SampleFrames', clip_len=8, frame_interval=8)
model = res50_cgd(num_classes=200, num_segments=clip['clip_len'])
# no image network has this attention; its decay is 4e-5, as in its released code
optim_wrapper = dict(paramwise_cfg=dict(custom_keys={
    'attention': dict(lr_mult=1.0, decay_mult=0.4)}))
input_shape = (3, clip['clip_len'], 224, 224)
train_dataloader = dict(dataset=dict(pipeline=mfnet_train(clip, 'NCHW')))
val_dataloader = dict(dataset=dict(pipeline=mfnet_test(clip, 'NCHW')))
test_dataloader = dict(dataset=dict(pipeline=mfnet_test(dict(clip, num_clips=10), 'NCHW')))
