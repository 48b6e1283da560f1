_base_ = [
    '../../../_base_/datasets/synthmotion.py',
    '../../../_base_/schedules/synthmotion_6e.py',
    '../../../_base_/default_runtime.py',
]

from mmaction_ext.networks import thin_resnet10, with_kpsem

model = with_kpsem(
    thin_resnet10(num_segments={{_base_.num_segments}}), stage=2, out_channels=16, num_frames=8)
