"""Hosts: backbones of any kind with motion modules after some of their stages."""

from mmaction_ext.models.host.motion_backbone import MotionBackbone

__all__ = ['MotionBackbone']
