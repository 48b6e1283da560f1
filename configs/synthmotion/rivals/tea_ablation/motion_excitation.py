_base_ = '../tea.py'
model = dict(backbone=dict(backbone=dict(temporal_aggregation=False)))
