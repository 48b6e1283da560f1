_base_ = './dcf_r50_16f.py'
model = dict(backbone=dict(backbone=dict(depth=101, pretrained='torchvision://resnet101')))
