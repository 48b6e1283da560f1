"""Backbones."""

from mmaction_ext.models.backbones.bn_inception import BNInception
from mmaction_ext.models.backbones.cgd import CGDResNet
from mmaction_ext.models.backbones.ctnet import CTNet
from mmaction_ext.models.backbones.eco import ECO
from mmaction_ext.models.backbones.frame_resnet import FrameResNet
from mmaction_ext.models.backbones.mfnet import MFNet
from mmaction_ext.models.backbones.r2plus1d import R2Plus1D
from mmaction_ext.models.backbones.resnet_tam import ResNetTAM
from mmaction_ext.models.backbones.resnet_tsm import ResNetTSMEveryBlock, ThinResNetTSM
from mmaction_ext.models.backbones.resnext3d import ResNeXt3d
from mmaction_ext.models.backbones.rsanet import RSANet
from mmaction_ext.models.backbones.s3d import S3D
from mmaction_ext.models.backbones.smallbig import SmallBigNet
from mmaction_ext.models.backbones.tada2d import TAda2D
from mmaction_ext.models.backbones.tdn import TDN
from mmaction_ext.models.backbones.tea import TEA
from mmaction_ext.models.backbones.timesformer import ResizedTimeSformer
from mmaction_ext.models.backbones.timm_frames import TimmFrames
from mmaction_ext.models.backbones.x3d import X3DStem

__all__ = [
    'ECO',
    'S3D',
    'TDN',
    'TEA',
    'BNInception',
    'CGDResNet',
    'CTNet',
    'FrameResNet',
    'MFNet',
    'R2Plus1D',
    'RSANet',
    'ResNeXt3d',
    'ResNetTAM',
    'ResNetTSMEveryBlock',
    'ResizedTimeSformer',
    'SmallBigNet',
    'TAda2D',
    'ThinResNetTSM',
    'TimmFrames',
    'X3DStem',
]
