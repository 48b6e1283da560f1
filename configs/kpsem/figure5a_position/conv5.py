_base_ = '../table2a_regions/mf_kpsem.py'
model = dict(backbone=dict(stages=(5, )))
