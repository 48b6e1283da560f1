# The mean of four networks' probabilities, as in ECO's code (its issue 30).
_base_ = './eco_lite_16f.py'
ensemble = dict(members=[
    'eco_lite_16f.py', 'eco_lite_20f.py', 'eco_lite_24f.py', 'eco_lite_32f.py'])
