# MF-KPSEM of KPSEM section 4.2 and Figure 6: the module reads the output of conv4, for 16 frames
# 384 x 8 x 14 x 14, and its 96 x 7 = 672 values stand beside the 768 of MFNet at the classifier.
_base_ = './mfnet.py'
model = dict(
    backbone=dict(
        module=dict(type='KPSEM', num_regions=4, num_sets=8, embedding_channels=24,
                    out_channels=96),
        stages=(4, )),
    cls_head=dict(
        _delete_=True,
        type='ConcatHead',
        branch_channels=672,
        head=dict(
            type='I3DHead',
            in_channels=768,
            num_classes=400,
            spatial_type='avg',
            dropout_ratio=0.5,
            average_clips='prob')))
