"""Looking into models: what they cost."""

from mmaction_ext.models.complexity import Complexity, count

__all__ = ['Complexity', 'count']
