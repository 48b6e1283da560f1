_base_ = './synthmotion.py'

from mmaction_ext.datasets.pipelines import synthmotion_test, synthmotion_train

# SynthMotion for networks that see whole clips.
train_dataloader = dict(dataset=dict(pipeline=synthmotion_train({{_base_.num_segments}}, 'NCTHW')))
val_dataloader = dict(dataset=dict(pipeline=synthmotion_test({{_base_.num_segments}}, 'NCTHW')))
test_dataloader = dict(dataset=dict(pipeline=synthmotion_test({{_base_.num_segments}}, 'NCTHW')))
