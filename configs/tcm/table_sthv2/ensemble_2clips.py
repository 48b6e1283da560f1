_base_ = './tcm_r50_16f_2clips.py'
ensemble = dict(members=['tcm_r50_8f_2clips.py', 'tcm_r50_16f_2clips.py'])
weights_of = None  # of its members
