# The network that the other configs start from, to be tested: it is not trained here.
_base_ = [
    '../../_base_/models/mfnet.py',
    '../../_base_/datasets/kpsem_k400_16f_224.py',
    '../../_base_/default_runtime.py',
]
