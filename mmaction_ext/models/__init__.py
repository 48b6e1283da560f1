"""What mmaction2 sees: importing this package registers the backbones and motion modules."""

from mmaction_ext import modules
from mmaction_ext.models.backbones import MotionBackbone

__all__ = ['MotionBackbone', 'modules']
