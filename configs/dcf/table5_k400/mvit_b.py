_base_ = [
    '../../_base_/models/mvit_b.py',
    '../../_base_/datasets/mvit_k400_16f_224.py',
    '../../_base_/schedules/mvit_k400.py',
    '../../_base_/default_runtime.py',
]
model = dict(data_preprocessor=dict(blending=dict(
    type='RandomBatchAugment',
    augments=[
        dict(type='MixupBlending', alpha=0.8, num_classes=400),
        dict(type='CutmixBlending', alpha=1, num_classes=400),
    ])))
