"""Pure tensor functions: no parameters, no registry, no mmaction import."""

from mmaction_ext.ops.correlation import (
    grouped_correlation,
    local_correlation,
    pair_correlation,
)
from mmaction_ext.ops.displacement import soft_argmax
from mmaction_ext.ops.keypoint import regional_key_points, regional_mean, soft_key_points
from mmaction_ext.ops.normalize import l2_normalize

__all__ = [
    'grouped_correlation',
    'l2_normalize',
    'local_correlation',
    'pair_correlation',
    'regional_key_points',
    'regional_mean',
    'soft_argmax',
    'soft_key_points',
]
