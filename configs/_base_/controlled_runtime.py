_base_ = './default_runtime.py'

# Beside every test: the same clips reversed in time, and one frame standing still.
default_hooks = dict(controls=dict(type='TemporalControlsHook'))
