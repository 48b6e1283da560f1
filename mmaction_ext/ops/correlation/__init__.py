"""Correlations of pixels within a window, the operations under DCF, TCM and SELFY.

Equations, shapes and cost are in the README of this folder. Both functions are PyTorch operators
(``mmaction_ext::local_correlation``, ``mmaction_ext::pair_correlation``), so they run under
autocast, ``torch.compile``, the meta device and the FLOP counter.
"""

from mmaction_ext.ops.correlation.choice import chosen_implementation
from mmaction_ext.ops.correlation.local import local_correlation
from mmaction_ext.ops.correlation.pair import pair_correlation

__all__ = ['chosen_implementation', 'local_correlation', 'pair_correlation']
