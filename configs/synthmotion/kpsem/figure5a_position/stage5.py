_base_ = '../table2a_regions/kpsem.py'
model = dict(backbone=dict(stages=(5, )))
