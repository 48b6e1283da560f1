"""Backbones."""

from mmaction_ext.models.backbones.mfnet import MFNet
from mmaction_ext.models.backbones.motion_backbone import MotionBackbone
from mmaction_ext.models.backbones.r2plus1d import R2Plus1D
from mmaction_ext.models.backbones.resnet_tsm import ResNetTSMEveryBlock

__all__ = ['MFNet', 'MotionBackbone', 'R2Plus1D', 'ResNetTSMEveryBlock']
