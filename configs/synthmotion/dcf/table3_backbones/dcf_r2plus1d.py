_base_ = [
    '../../../_base_/datasets/dcf_synthmotion_3d.py',
    '../../../_base_/schedules/synthmotion_24e.py',
    '../../../_base_/default_runtime.py',
]

from mmaction_ext.networks import thin_dcf, thin_r2plus1d

model = thin_r2plus1d(module=thin_dcf(reduction=4), stages=(2, 3, 4))
