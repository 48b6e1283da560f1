"""Pure tensor functions: no parameters, no registry, no mmaction import."""

from mmaction_ext.ops.correlation import local_correlation

__all__ = ['local_correlation']
