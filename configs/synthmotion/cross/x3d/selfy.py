_base_ = [
    '../../../_base_/datasets/dcf_synthmotion_3d.py',
    '../../../_base_/schedules/synthmotion_24e.py',
    '../../../_base_/default_runtime.py',
]

from mmaction_ext.networks import thin_selfy, thin_x3d

model = thin_x3d(module=thin_selfy(), stages=(3, ))
