_base_ = ['../../_base_/models/tcm_tsm_r50.py', '../../_base_/default_runtime.py']
input_shape = (3, 8, 224, 224)
