_base_ = './tcm_r50_16f.py'
ensemble = dict(members=['tcm_r50_8f.py', 'tcm_r50_16f.py'])
