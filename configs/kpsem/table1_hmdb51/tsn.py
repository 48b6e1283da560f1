_base_ = ['../../_base_/datasets/kpsem_hmdb51_8f_224.py',
          '../../_base_/schedules/kpsem_mfnet_hmdb51.py', '../../_base_/default_runtime.py']

from mmaction_ext.networks import tsn_r50

model = tsn_r50(num_classes=51)
load_from = (
    'https://download.openmmlab.com/mmaction/v1.0/recognition/tsn/'
    'tsn_imagenet-pretrained-r50_8xb32-1x1x8-100e_kinetics400-rgb/'
    'tsn_imagenet-pretrained-r50_8xb32-1x1x8-100e_kinetics400-rgb_20220906-2692d16c.pth')
