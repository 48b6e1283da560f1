_base_ = [
    '../../_base_/datasets/dcf_synthmotion_3d.py',
    '../../_base_/schedules/synthmotion_6e.py',
    '../../_base_/default_runtime.py',
]

from mmaction_ext.networks import thin_eco

model = thin_eco()
