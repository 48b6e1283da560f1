"""Classification heads."""

from mmaction_ext.models.heads.concat_head import ConcatHead
from mmaction_ext.models.heads.xavier_tsm_head import XavierTSMHead

__all__ = ['ConcatHead', 'XavierTSMHead']
