_base_ = './selfy_tsm_r50_16f.py'
ensemble = dict(members=['selfy_tsm_r50_8f.py', 'selfy_tsm_r50_16f.py'])
