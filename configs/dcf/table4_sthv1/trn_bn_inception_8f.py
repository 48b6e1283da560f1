_base_ = './trn_r50_8f.py'

from mmaction_ext.networks import trn_bn_inception

model = dict(
    trn_bn_inception(num_classes=174, num_segments={{_base_.num_segments}}), _delete_=True)
