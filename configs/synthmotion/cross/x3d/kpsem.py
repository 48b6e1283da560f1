_base_ = [
    '../../../_base_/datasets/dcf_synthmotion_3d.py',
    '../../../_base_/schedules/synthmotion_24e.py',
    '../../../_base_/default_runtime.py',
]

from mmaction_ext.networks import thin_x3d, with_kpsem

model = with_kpsem(thin_x3d(), stage=2, out_channels=16, num_frames=8)
