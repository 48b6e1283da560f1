_base_ = [
    '../../../_base_/datasets/ut_interaction.py',
    '../../../_base_/schedules/images_12e.py',
    '../../../_base_/controlled_runtime.py',
]

from mmaction_ext.networks import efficientnet_lite0

model = efficientnet_lite0(
    {{_base_.num_classes}}, num_segments={{_base_.num_segments}}, behind='conv3d_time')
