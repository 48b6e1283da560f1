"""Correlations of pixels within a window, the operations under the modules that look for motion.

Equations, shapes and cost are in the README of this folder. Two functions are PyTorch operators
(``mmaction_ext::local_correlation``, ``mmaction_ext::pair_correlation``): they, and the third that
is made of one, run under autocast, ``torch.compile``, the meta device and the FLOP counter.
"""

from mmaction_ext.ops.correlation.choice import chosen_implementation
from mmaction_ext.ops.correlation.grouped import grouped_correlation
from mmaction_ext.ops.correlation.local import local_correlation
from mmaction_ext.ops.correlation.pair import pair_correlation

__all__ = ['chosen_implementation', 'grouped_correlation', 'local_correlation', 'pair_correlation']
