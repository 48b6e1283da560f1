# The mean of two networks' probabilities; each sees its own frames.
_base_ = './tsm_r50_8f.py'
ensemble = dict(members=['tsm_r50_8f.py', 'tsm_r50_16f.py'])
