_base_ = ['../../_base_/datasets/kpsem_hmdb51_8f_224.py',
          '../../_base_/schedules/kpsem_mfnet_hmdb51.py', '../../_base_/default_runtime.py']

from mmaction_ext.networks import tsn_bn_inception

model = tsn_bn_inception(num_classes=51)
