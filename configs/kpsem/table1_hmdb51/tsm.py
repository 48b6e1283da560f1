_base_ = ['../../_base_/datasets/kpsem_hmdb51_8f_224.py',
          '../../_base_/schedules/kpsem_mfnet_hmdb51.py', '../../_base_/default_runtime.py']

from mmaction_ext.networks import tsm_r50

model = tsm_r50(num_classes=51, num_segments={{_base_.segments.num_segments}})
load_from = (
    'https://download.openmmlab.com/mmaction/v1.0/recognition/tsm/'
    'tsm_imagenet-pretrained-r50_8xb16-1x1x8-50e_kinetics400-rgb/'
    'tsm_imagenet-pretrained-r50_8xb16-1x1x8-50e_kinetics400-rgb_20220831-64d69186.pth')
