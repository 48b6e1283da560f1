# The mean of two networks' probabilities; each sees its own frames.
_base_ = './smallbig_16f.py'
ensemble = dict(members=['smallbig_8f.py', 'smallbig_16f.py'])
