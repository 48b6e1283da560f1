"""TAda2D: a ResNet on frames whose 3x3 convolutions adapt to each frame.

"TAda! Temporally-Adaptive Convolutions for Video Understanding", Huang et al., ICLR 2022,
arXiv 2110.06178; https://github.com/alibaba-mmai-research/TAdaConv, commit 75b7839, called the
code below. The text of the paper was not read.

Shape legend: N clips, T frames, C channels, H rows, W columns.
"""

from typing import Any

import torch.nn.functional as F
from mmaction.registry import MODELS
from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck

from mmaction_ext.models.backbones.frame_resnet import FrameResNet, make_shortcut
from mmaction_ext.modules.tadaconv import TAdaConv2d


class TAda2DBottleneck(Bottleneck):
    """torchvision's bottleneck with a TAdaConv for its 3x3, and what that is over three frames.

    Args:
        inplanes: See :meth:`FrameResNet.make_block`, as for ``planes`` and ``stride``.
        planes: Channels of the inner convolutions.
        stride: Of the 3x3 convolution.
        num_segments: ``T``.
        global_context: See :class:`TAda2D`, as for ``pooled_branch``.
        pooled_branch: Whether there is one.
    """

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int,
        num_segments: int,
        global_context: bool,
        pooled_branch: bool,
    ) -> None:
        super().__init__(inplanes, planes, stride, make_shortcut(inplanes, planes, stride))
        self.num_segments = num_segments
        self.conv2 = TAdaConv2d(
            planes, planes, 3, global_context, stride=stride, padding=1, bias=False
        )
        self.pooled_bn = nn.BatchNorm2d(planes) if pooled_branch else None

    def forward(self, x: Tensor) -> Tensor:
        """From (N*T, C, H, W) to (N*T, 4 * ``planes``, H / ``stride``, W / ``stride``)."""
        out = self.relu(self.bn1(self.conv1(x)))
        frames = self.conv2(out.unflatten(0, (-1, self.num_segments)))
        out = self.bn2(frames.flatten(0, 1))
        if self.pooled_bn is not None:
            out = out + self.pooled_bn(_pooled_over_time(frames).flatten(0, 1))
        out = self.bn3(self.conv3(self.relu(out)))
        return self.relu(out + (x if self.downsample is None else self.downsample(x)))


@MODELS.register_module()
class TAda2D(FrameResNet):
    """TAda2D: each bottleneck's 3x3 convolution is a :class:`TAdaConv2d`.

    To its output, normalised, comes the same averaged over three frames and normalised by a
    normalisation of its own, which starts at zero. So a new network is a ResNet on frames: the
    one that these image weights are for, but that the stem has no max pooling, and layer 1 a
    stride instead.

    With ``TSNHead(174, 2048)`` depth 50 has 27.02 M parameters and, for 8 frames of 256 x 256,
    43.13 G multiply-adds.

    Args:
        depth: See :class:`FrameResNet`.
        num_segments: ``T``.
        global_context: See :class:`mmaction_ext.modules.tadaconv.RouteFunction`.
        pooled_branch: With what the convolutions are over three frames.
        **network: What else :class:`FrameResNet` takes.

    Raises:
        InputError: As :class:`FrameResNet`.
    """

    pools_stem = False

    def __init__(
        self,
        depth: int,
        num_segments: int,
        *,
        global_context: bool = True,
        pooled_branch: bool = True,
        **network: Any,
    ) -> None:
        self.global_context, self.pooled_branch = global_context, pooled_branch
        super().__init__(depth, num_segments, **network)

    def make_block(
        self, layer: int, index: int, inplanes: int, planes: int, stride: int
    ) -> nn.Module:
        """A bottleneck with a TAdaConv; see :meth:`FrameResNet.make_block`."""
        return TAda2DBottleneck(
            inplanes, planes, stride, self.num_segments, self.global_context, self.pooled_branch
        )

    def init_blocks(self) -> None:
        """Let nothing come from the branches over three frames."""
        for block in self.modules():
            if isinstance(block, TAda2DBottleneck) and block.pooled_bn is not None:
                nn.init.zeros_(block.pooled_bn.weight)

    def image_name(self, name: str) -> str | None:
        """That of torchvision's ResNet; see :meth:`ImageStart.image_name`."""
        return None if '.route.' in name or '.pooled_bn.' in name else name


def _pooled_over_time(frames: Tensor) -> Tensor:
    """Average of each frame and its two neighbours, of which those beyond the ends are zero."""
    pooled = F.avg_pool2d(frames.flatten(2), (3, 1), 1, (1, 0))
    return pooled.unflatten(2, frames.shape[2:])
