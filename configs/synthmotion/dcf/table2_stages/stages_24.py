_base_ = '../table1_components/full.py'
model = dict(backbone=dict(stages=(2, 4)))
