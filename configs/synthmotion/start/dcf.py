_base_ = '../dcf/table1_components/full.py'

model = dict(backbone=dict(module=dict(zero_init=True)))
