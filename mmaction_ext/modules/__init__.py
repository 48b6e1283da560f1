"""Motion modules: trainable blocks that go between the stages of a backbone."""

from mmaction_ext.modules.base import MotionModule
from mmaction_ext.modules.dcf import DCF

__all__ = ['DCF', 'MotionModule']
