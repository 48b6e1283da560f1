"""ResNet with the attention of the compact global descriptor in every block.

Paper and code: see :mod:`mmaction_ext.modules.cgd`.

Shape legend: N clips, T frames, C channels, H rows, W columns.
"""

from typing import Any

import torch.nn.functional as F
from mmaction.registry import MODELS
from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck

from mmaction_ext.models.backbones.frame_resnet import FrameResNet, make_shortcut
from mmaction_ext.modules.cgd import CGDAttention


class CGDBottleneck(Bottleneck):
    """torchvision's bottleneck, the channels weighed between its first 1x1 and normalisation.

    Args:
        inplanes: Channels of the input.
        planes: Channels of the inner convolutions.
        stride: Of the 3x3 convolution.
        num_segments: ``T``.
        over: See :class:`CGDResNet`.
    """

    def __init__(
        self, inplanes: int, planes: int, stride: int, num_segments: int, over: str
    ) -> None:
        super().__init__(inplanes, planes, stride, make_shortcut(inplanes, planes, stride))
        self.num_segments = num_segments
        self.attention = CGDAttention(planes, over)

    def forward(self, x: Tensor) -> Tensor:
        """(N*T, C, H, W) to maps of four times ``planes`` channels."""
        y = self.conv1(x).unflatten(0, (-1, self.num_segments))
        y = F.relu(self.bn1(self.attention(y).flatten(0, 1)))
        y = self.bn3(self.conv3(F.relu(self.bn2(self.conv2(y)))))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


@MODELS.register_module()
class CGDResNet(FrameResNet):
    """torchvision's ResNet on each frame, with CGD in every block.

    Args:
        depth: See :class:`FrameResNet`.
        num_segments: ``T``.
        over: What channels are weighed by, ``'frame'`` or ``'clip'``; see :class:`CGD`.
        kwargs: As of :class:`FrameResNet`.

    Raises:
        InputError: As :class:`FrameResNet`, and if ``over`` is none of its choices.
    """

    def __init__(self, depth: int, num_segments: int, over: str = 'frame', **kwargs: Any) -> None:
        self.over = over
        super().__init__(depth, num_segments, **kwargs)

    def make_block(
        self, layer: int, index: int, inplanes: int, planes: int, stride: int
    ) -> nn.Module:
        """See :meth:`FrameResNet.make_block`."""
        return CGDBottleneck(inplanes, planes, stride, self.num_segments, self.over)

    def image_name(self, name: str) -> str | None:
        """See :meth:`ImageStart.image_name`."""
        return None if '.attention.' in name else name
