"""SmallBigNet: a ResNet on frames whose convolutions also see the maximum over their neighbours.

Li, Wang, Zhou and Qiao, "SmallBigNet: Integrating Core and Contextual Views for Video
Classification", CVPR 2020, arXiv 2006.14582; as the released code has it
(github.com/xhl-video/SmallBigNet, commit 9e6d9ea). The text of the paper was not read.

Shape legend: N clips, T frames, C channels, H rows, W columns.
"""

from typing import Any

import torch.nn.functional as F
from mmaction.registry import MODELS
from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck

from mmaction_ext.models.backbones.frame_resnet import FrameResNet, make_shortcut


class SmallBigBottleneck(Bottleneck):
    """A bottleneck each of whose convolutions is applied twice, with the same weights.

    The small view is its input, the big view the maximum of that over 3 x 3 x 3 neighbours, for
    the last convolution over 3 x 3 neighbours in all frames. Each has a normalisation of its own,
    and their sum goes on. That of the big view starts at zero: a new block is torchvision's.

    Args:
        inplanes: See ``FrameResNet.make_block``, as for the following.
        planes: Channels of the inner convolutions.
        stride: Of the 3x3 convolution.
        num_segments: ``T``.
        extra: See :class:`SmallBigNet`.
    """

    def __init__(
        self, inplanes: int, planes: int, stride: int, num_segments: int, extra: bool
    ) -> None:
        super().__init__(inplanes, planes, stride, make_shortcut(inplanes, planes, stride))
        self.num_segments = num_segments
        self.big_bn1, self.big_bn2 = nn.BatchNorm2d(planes), nn.BatchNorm2d(planes)
        self.big_bn3 = nn.BatchNorm2d(planes * self.expansion)
        self.extra = GlobalView(inplanes, num_segments) if extra else None

    def forward(self, x: Tensor) -> Tensor:
        """Frames (N*T, C, H, W) to frames."""
        if self.extra is not None:
            x = self.extra(x)
        big = self.big_bn1(self.conv1(self._around(x)))
        out = self.relu(self.bn1(self.conv1(x)) + big)
        big = self.big_bn2(self.conv2(self._around(out)))
        out = self.relu(self.bn2(self.conv2(out)) + big)
        whole = F.max_pool2d(_clips(out, self.num_segments).amax(1), 3, 1, 1)
        big = self.big_bn3(self.conv3(whole)).unsqueeze(1)  # of each clip
        out = _clips(self.bn3(self.conv3(out)), self.num_segments) + big
        shortcut = x if self.downsample is None else self.downsample(x)
        return self.relu(out.flatten(0, 1) + shortcut)

    def _around(self, frames: Tensor) -> Tensor:
        """The maximum over the 3 x 3 x 3 neighbours of each position."""
        rows = _clips(F.max_pool2d(frames, 3, 1, 1), self.num_segments).flatten(2)
        return F.max_pool2d(rows, (3, 1), 1, (1, 0)).view_as(frames)


class GlobalView(nn.Module):
    """Adds to frames what their channels say, gated by the maximum over their clip.

    ``x + BN(V(U(x) * sigmoid(U(max of x))))``, with 1x1 convolutions U to a quarter of the
    channels and V back. The normalisation starts at zero.

    Args:
        channels: ``C``.
        num_segments: ``T``.
    """

    def __init__(self, channels: int, num_segments: int) -> None:
        super().__init__()
        self.num_segments = num_segments
        self.reduce = nn.Conv2d(channels, channels // 4, 1, bias=False)
        self.expand = nn.Conv2d(channels // 4, channels, 1, bias=False)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Frames (N*T, C, H, W) to frames."""
        gate = self.reduce(_clips(x, self.num_segments).amax((1, 3, 4))[..., None, None]).sigmoid()
        gated = _clips(self.reduce(x), self.num_segments) * gate.unsqueeze(1)
        return x + self.bn(self.expand(gated.flatten(0, 1)))


def _clips(frames: Tensor, num_segments: int) -> Tensor:
    """(N*T, ...) to (N, T, ...)."""
    return frames.unflatten(0, (-1, num_segments))


@MODELS.register_module()
class SmallBigNet(FrameResNet):
    """SmallBigNet-50 or -101: frames, (N*T, 3, H, W), to one feature map of each.

    Layers 2 to 4 have small and big views, layer 1 is torchvision's, as is all of a network that
    starts from image weights. Nothing but maxima over neighbours, before and after alike, and
    over all frames mixes frames: of a clip played backwards the maps are the same, backwards, and
    a head that averages them cannot tell the two apart.

    Args:
        depth: See ``FrameResNet``, as for ``num_segments``, ``base_channels``, ``pretrained`` and
            ``init_cfg``. (The code loads the weights of ResNet-50 at any depth; here they have
            to be those of the depth.)
        num_segments: ``T``.
        extra: Put a gate by the maximum over the clip in front of each of these blocks: the
            "extra" network of the code. Its costs say that the one printed has none.
        base_channels: Of the stem.
        pretrained: Image weights.
        init_cfg: As of mmengine's ``BaseModule``.

    Raises:
        InputError: As ``FrameResNet``.
    """

    def __init__(
        self,
        depth: int,
        num_segments: int,
        extra: bool = False,
        base_channels: int = 64,
        pretrained: str | None = None,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        self.extra = extra
        super().__init__(depth, num_segments, base_channels, pretrained, init_cfg)

    def make_block(
        self, layer: int, index: int, inplanes: int, planes: int, stride: int
    ) -> nn.Module:
        """torchvision's bottleneck in layer 1, one with two views behind it."""
        if layer == 1:
            return super().make_block(layer, index, inplanes, planes, stride)
        return SmallBigBottleneck(inplanes, planes, stride, self.num_segments, self.extra)

    def init_blocks(self) -> None:
        """Start big views and gates at zero."""
        for block in self.modules():
            if isinstance(block, SmallBigBottleneck):
                for norm in (block.big_bn1, block.big_bn2, block.big_bn3):
                    nn.init.zeros_(norm.weight)
            elif isinstance(block, GlobalView):
                nn.init.zeros_(block.bn.weight)

    def image_name(self, name: str) -> str | None:
        """None for big views and gates."""
        return None if '.big_bn' in name or '.extra.' in name else name
