"""3-D ResNeXt, the network of MARS.

Hara, Kataoka and Satoh, "Can Spatiotemporal 3D CNNs Retrace the History of 2D CNNs and ImageNet?",
CVPR 2018, as the code of MARS has it (Crasto, Weinzaepfel, Alahari and Schmid, "MARS:
Motion-Augmented RGB Stream for Action Recognition", CVPR 2019; github.com/craston/MARS, commit
d5ffb01).

Shape legend: N clips, T frames, C channels, H rows, W columns.
"""

from typing import Any

import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmaction_ext.errors import InputError, check_at_least, check_choice
from mmaction_ext.models.backbones.frame_resnet import DEPTHS

_EXPANSION = 2
_INIT = (dict(type='Kaiming', layer='Conv3d'), dict(type='Constant', layer='BatchNorm3d', val=1))


class ResNeXtBottleneck3d(nn.Module):
    """A bottleneck whose 3x3x3 convolution is in groups; names as torchvision's.

    Args:
        inplanes: Channels of the input.
        planes: Channels of the inner convolutions; twice as many leave it.
        groups: Of the 3x3x3 convolution.
        stride: Of the 3x3x3 convolution, in time, too.
    """

    def __init__(self, inplanes: int, planes: int, groups: int, stride: int) -> None:
        super().__init__()
        outplanes = _EXPANSION * planes
        self.conv1 = nn.Conv3d(inplanes, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm3d(planes)
        self.conv2 = nn.Conv3d(planes, planes, 3, stride, 1, groups=groups, bias=False)
        self.bn2 = nn.BatchNorm3d(planes)
        self.conv3 = nn.Conv3d(planes, outplanes, 1, bias=False)
        self.bn3 = nn.BatchNorm3d(outplanes)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or inplanes != outplanes:
            self.downsample = nn.Sequential(
                nn.Conv3d(inplanes, outplanes, 1, stride, bias=False), nn.BatchNorm3d(outplanes)
            )

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, C, T, H, W) to features with twice ``planes``."""
        y = F.relu(self.bn1(self.conv1(x)))
        y = F.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


@MODELS.register_module()
class ResNeXt3d(BaseModule):
    """3-D ResNeXt without its classifier, which ``I3DHead`` completes.

    Depth 101 with 32 groups is the network of MARS: with 101 classes 47.73 M parameters and, for
    16 frames of 112 x 112, 9.57 G multiply-adds.

    Args:
        depth: 50 or 101; or 14 or 26, which no paper has.
        groups: The cardinality.
        base_channels: Channels of the stem; all other widths are multiples, 64 is the published.
        init_cfg: As of mmengine's ``BaseModule``. None: Kaiming's normal initialisation of
            convolutions, normalisations at one, as in the code of MARS.

    Raises:
        InputError: If an argument is out of its range, or the widths do not divide into groups.
    """

    def __init__(
        self,
        depth: int = 101,
        groups: int = 32,
        base_channels: int = 64,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(init_cfg=list(_INIT) if init_cfg is None else init_cfg)
        check_choice('depth', depth, tuple(DEPTHS))
        check_at_least('groups', groups, 1)
        check_at_least('base_channels', base_channels, 1)
        if 2 * base_channels % groups:
            raise InputError(f'{2 * base_channels} channels do not divide into groups={groups}')
        self.conv1 = nn.Conv3d(3, base_channels, 7, (1, 2, 2), 3, bias=False)
        self.bn1 = nn.BatchNorm3d(base_channels)
        self.maxpool = nn.MaxPool3d(3, 2, 1)
        inplanes = base_channels
        for layer, blocks in enumerate(DEPTHS[depth], start=1):
            stage, planes = nn.Sequential(), base_channels * 2**layer
            for index in range(blocks):
                stride = 2 if layer > 1 and index == 0 else 1
                stage.append(ResNeXtBottleneck3d(inplanes, planes, groups, stride))
                inplanes = _EXPANSION * planes
            self.add_module(f'layer{layer}', stage)

    def forward(self, x: Tensor) -> Tensor:
        """Clips to one feature map.

        Args:
            x: (N, 3, T, H, W).

        Returns:
            (N, 32 * ``base_channels``, T/16, H/32, W/32), sizes rounded up.
        """
        x = self.maxpool(F.relu(self.bn1(self.conv1(x))))
        return self.layer4(self.layer3(self.layer2(self.layer1(x))))
