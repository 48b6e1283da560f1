"""Motion modules: trainable blocks that go between the stages of a backbone."""

from mmaction_ext.modules.base import MotionModule
from mmaction_ext.modules.dcf import DCF
from mmaction_ext.modules.kpsem import KPSEM
from mmaction_ext.modules.selfy import SELFY
from mmaction_ext.modules.tcm import TCM

__all__ = ['DCF', 'KPSEM', 'SELFY', 'TCM', 'MotionModule']
