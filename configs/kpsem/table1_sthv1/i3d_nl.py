_base_ = ['mmaction::_base_/models/i3d_r50.py', '../../_base_/datasets/kpsem_sthv1_32f_224.py',
          '../../_base_/schedules/kpsem_mfnet_ucf101.py', '../../_base_/default_runtime.py']

from mmaction_ext.networks import non_local

# the five non-local blocks of mmaction2's own I3D ("I3D-NL")
model = dict(
    backbone=non_local(((0, 0, 0), (0, 1, 0, 1), (0, 1, 0, 1, 0, 1), (0, 0, 0)), 'dot_product'),
    cls_head=dict(num_classes=174))
load_from = (
    'https://download.openmmlab.com/mmaction/v1.0/recognition/i3d/'
    'i3d_imagenet-pretrained-r50-nl-dot-product_8xb8-32x2x1-100e_kinetics400-rgb/'
    'i3d_imagenet-pretrained-r50-nl-dot-product_8xb8-32x2x1-100e'
    '_kinetics400-rgb_20220812-8e1f2148.pth')
