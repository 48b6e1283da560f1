# ResNet-50 on each frame with one non-local block before the last unit of res4 (KPSEM Table 1,
# "Res50-NL"): the 27.66M printed there are its 25.56M with 1000 classes and 2.10M of one block.
_base_ = './r3d_r50.py'
model = dict(
    backbone=dict(
        backbone=dict(
            pretrained='torchvision://resnet50',
            non_local=((0, 0, 0), (0, 0, 0, 0), (0, 0, 0, 0, 1, 0), (0, 0, 0)),
            non_local_cfg=dict(
                sub_sample=True,
                use_scale=False,
                norm_cfg=dict(type='BN3d', requires_grad=True),
                mode='embedded_gaussian'))))
