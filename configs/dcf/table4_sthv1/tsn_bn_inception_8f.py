_base_ = './tsn_r50_8f.py'

from mmaction_ext.networks import tsn_bn_inception

model = dict(tsn_bn_inception(num_classes=174), _delete_=True)
