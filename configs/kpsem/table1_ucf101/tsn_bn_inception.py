_base_ = ['../../_base_/datasets/kpsem_ucf101_8f_224.py',
          '../../_base_/schedules/kpsem_mfnet_ucf101.py', '../../_base_/default_runtime.py']

from mmaction_ext.networks import tsn_bn_inception

model = tsn_bn_inception(num_classes=101)
