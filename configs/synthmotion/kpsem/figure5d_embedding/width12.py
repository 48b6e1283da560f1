_base_ = '../table2a_regions/kpsem.py'
model = dict(backbone=dict(module=dict(embedding_channels=12)))
