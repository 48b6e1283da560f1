"""Backbones."""

from mmaction_ext.models.backbones.motion_backbone import MotionBackbone

__all__ = ['MotionBackbone']
