"""What mmaction2 sees: importing this package registers the backbones and motion modules."""

from mmaction_ext import compat

compat.apply()  # heads and backbones import mmaction2's own, which need it

from mmaction_ext import modules  # noqa: E402
from mmaction_ext.models.backbones import (  # noqa: E402
    ECO,
    S3D,
    TDN,
    TEA,
    BNInception,
    CGDResNet,
    CTNet,
    FrameResNet,
    MFNet,
    R2Plus1D,
    ResizedTimeSformer,
    ResNetTAM,
    ResNetTSMEveryBlock,
    ResNeXt3d,
    RSANet,
    SmallBigNet,
    TAda2D,
    ThinResNetTSM,
    TimmFrames,
    X3DStem,
)
from mmaction_ext.models.heads import ConcatHead, XavierTSMHead  # noqa: E402
from mmaction_ext.models.host import MotionBackbone  # noqa: E402

__all__ = [
    'ECO',
    'S3D',
    'TDN',
    'TEA',
    'BNInception',
    'CGDResNet',
    'CTNet',
    'ConcatHead',
    'FrameResNet',
    'MFNet',
    'MotionBackbone',
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
    'XavierTSMHead',
    'modules',
]
