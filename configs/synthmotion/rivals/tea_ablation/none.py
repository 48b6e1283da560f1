_base_ = '../tea.py'
model = dict(backbone=dict(backbone=dict(motion_excitation=False, temporal_aggregation=False)))
