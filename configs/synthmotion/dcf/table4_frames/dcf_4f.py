_base_ = [
    '../../../_base_/datasets/dcf_synthmotion_4f.py',
    '../../../_base_/schedules/synthmotion_6e.py',
    '../../../_base_/default_runtime.py',
]

from mmaction_ext.networks import thin_dcf, thin_resnet10

model = thin_resnet10(
    num_segments={{_base_.num_segments}}, module=thin_dcf(reduction=2), stages=(2, 3, 4))
