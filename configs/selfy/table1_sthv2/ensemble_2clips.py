_base_ = './selfy_tsm_r50_16f_2clips.py'
ensemble = dict(members=['selfy_tsm_r50_8f_2clips.py', 'selfy_tsm_r50_16f_2clips.py'])
weights_of = None  # of its members
