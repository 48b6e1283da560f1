_base_ = './synthmotion.py'

from mmaction_ext.datasets.pipelines import synthmotion_test, synthmotion_train

# SynthMotion for networks that see whole clips.
train_dataloader = dict(dataset=dict(pipeline=synthmotion_train(8, 'NCTHW')))
val_dataloader = dict(dataset=dict(pipeline=synthmotion_test(8, 'NCTHW')))
test_dataloader = dict(dataset=dict(pipeline=synthmotion_test(8, 'NCTHW')))
