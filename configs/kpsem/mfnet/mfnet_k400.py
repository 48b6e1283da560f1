_base_ = ['../../_base_/models/mfnet.py', '../../_base_/default_runtime.py']
input_shape = (3, 16, 224, 224)
