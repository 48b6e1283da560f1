_base_ = './selfy_tsm_r50_8f.py'
model = dict(
    backbone=dict(
        backbone=dict(
            type='ResNetTSMEveryBlock', depth=101, pretrained='torchvision://resnet101')))
