# The network that the other configs start from; the README says where its weights are to be had,
# and what training it here takes. Dropout is "only for fine-tuning" in MFNet's code.
_base_ = [
    '../../_base_/datasets/kpsem_k400_16f_224.py',
    '../../_base_/schedules/mfnet_k400.py',
    '../../_base_/default_runtime.py',
]

from mmaction_ext.networks import mfnet

model = mfnet(num_classes=400, dropout_ratio=0.0)
