"""Classification heads."""

from mmaction_ext.models.heads.concat_head import ConcatHead

__all__ = ['ConcatHead']
