# The mean of two networks' probabilities; each sees its own frames.
_base_ = './tanet_r50_8f.py'
ensemble = dict(members=['tanet_r50_8f.py', 'tanet_r50_16f.py'])
