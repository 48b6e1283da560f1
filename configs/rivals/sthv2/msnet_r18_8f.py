_base_ = './msnet_r50_8f.py'
model = dict(
    backbone=dict(backbone=dict(depth=18, pretrained='torchvision://resnet18')),
    cls_head=dict(in_channels=512))
