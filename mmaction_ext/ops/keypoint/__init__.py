"""Key points and means of the regions of a map, the operations under KPSEM.

The equations, the shapes and the cost are in the README of this folder.
"""

from mmaction_ext.ops.keypoint.regions import regional_key_points, regional_mean, soft_key_points

__all__ = ['regional_key_points', 'regional_mean', 'soft_key_points']
