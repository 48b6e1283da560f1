"""TDN: a ResNet that sees the differences of frames, within a segment and between segments.

"TDN: Temporal Difference Networks for Efficient Action Recognition", Wang, Tong, Ji and Wu, CVPR
2021, arXiv 2012.10071. The layout is that of the released code (github.com/MCG-NJU/TDN, commit
a7c7e9b); the text of the paper was not read.

Shape legend: N clips, T segments, C channels, H rows, W columns.
"""

import copy
import re
from collections import OrderedDict
from typing import Any

import torch.nn.functional as F
from mmaction.registry import MODELS
from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck

from mmaction_ext.errors import InputError, check_choice
from mmaction_ext.models.backbones.frame_resnet import FrameResNet, make_shortcut
from mmaction_ext.modules.neighbours import TemporalConv
from mmaction_ext.modules.tdn import LTDM

#: Frames of a segment, one after the other.
FRAMES = 5
_COLOURS = 3
_BIAS_OF_CONVOLUTION = re.compile(r'(^|\.)(conv\d|downsample\.0)\.bias$')


class TDNBottleneck(nn.Module):
    """torchvision's bottleneck with biases, and with room for what mixes frames before its 3x3.

    Args:
        inplanes: Channels of its input.
        planes: Channels of its inner convolutions; four times as many leave it.
        stride: Of its 3x3 convolution, and of the shortcut.
        num_segments: ``T``.
        motion: From (N, T, ``planes``, H, W) to the same shape.
    """

    def __init__(
        self, inplanes: int, planes: int, stride: int, num_segments: int, motion: nn.Module
    ) -> None:
        super().__init__()
        self.num_segments = num_segments
        self.conv1, self.bn1 = nn.Conv2d(inplanes, planes, 1), nn.BatchNorm2d(planes)
        self.motion = motion
        self.conv2, self.bn2 = nn.Conv2d(planes, planes, 3, stride, 1), nn.BatchNorm2d(planes)
        outplanes = planes * Bottleneck.expansion
        self.conv3, self.bn3 = nn.Conv2d(planes, outplanes, 1), nn.BatchNorm2d(outplanes)
        self.downsample = make_shortcut(inplanes, planes, stride, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        """Features (N*T, C, H, W) to features with four times ``planes``."""
        y = F.relu(self.bn1(self.conv1(x)))
        y = self.motion(y.unflatten(0, (-1, self.num_segments))).flatten(0, 1)
        y = self.bn3(self.conv3(F.relu(self.bn2(self.conv2(y)))))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))


class ShortTermTDM(nn.Module):
    """S-TDM: features of the differences of a segment's frames, for the first stages.

    Args:
        channels: Of the stem.
        layer1: The first layer of the network, of which it has one of its own.
    """

    def __init__(self, channels: int, layer1: nn.Sequential) -> None:
        super().__init__()
        self.conv = nn.Conv2d((FRAMES - 1) * _COLOURS, channels, 7, 2, 3, bias=False)
        self.bn = nn.BatchNorm2d(channels)
        self.layer1 = copy.deepcopy(layer1)

    def forward(self, differences: Tensor) -> tuple[Tensor, Tensor]:
        """What is joined with the stem's features, and with those of layer 1.

        Args:
            differences: (N*T, 12, H, W), of each frame to the one before it.

        Returns:
            Maps of H/8 x W/8 pixels, sizes rounded up, with the channels of both.
        """
        x = F.relu(self.bn(self.conv(F.avg_pool2d(differences, 2))))
        x = F.max_pool2d(x, 3, 2, 1)
        return x, self.layer1(x)


@MODELS.register_module()
class TDN(FrameResNet):
    """TDN-R50 or -R101: five frames of each of T segments, and their differences.

    The third frame of a segment goes through the ResNet. The short-term module (S-TDM) adds what
    it sees in the differences of the five before and after layer 1; in layers 2 to 4 each block
    gates its features by their differences to the segments beside (L-TDM) and mixes these by a
    depthwise convolution that starts as TSM's shift.

    With ``TSNHead(174, 2048)`` depth 50 has 24.41 M parameters and, for 8 segments of frames of
    224 x 224, 35.64 G multiply-adds; depth 101 43.67 M and 65.84 G. The released network has
    another 9472 parameters, of a convolution, ``conv1_temp``, that it never runs.

    Args:
        depth: 50 or 101; or 14 or 26, with one and two bottlenecks a stage.
        num_segments: ``T``.
        base_channels: See :class:`FrameResNet`.
        short_term: With S-TDM; without it, only the third frame of a segment is seen.
        long_term: With L-TDM.
        short_term_share: Of the sums of S-TDM's features and the network's; the network has the
            rest. As released when None: 1/2 for eight segments, 1/4 for any other number.
        bias_init: How the biases of the ResNet's convolutions start, which image weights lack:
            ``'uniform'``, torch's default, as released, where loading passes over them; or
            ``'zero'``. Normalisation follows each of them, so that in training they change
            nothing but the running means.
        pretrained: Weights of torchvision's ResNet to start from, see :class:`ImageStart`; None
            for none. S-TDM has layer 1 from there, too, and for its 7 x 7 convolution the average
            over colours of the stem's.
        init_cfg: As of mmengine's ``BaseModule``.

    Raises:
        InputError: As of :class:`FrameResNet`.
    """

    #: Of an input: those of all frames of a segment.
    input_channels = FRAMES * _COLOURS

    def __init__(
        self,
        depth: int,
        num_segments: int,
        base_channels: int = 64,
        short_term: bool = True,
        long_term: bool = True,
        short_term_share: float | None = None,
        bias_init: str = 'uniform',
        pretrained: str | None = None,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        check_choice('bias_init', bias_init, ('uniform', 'zero'))
        self.long_term, self.bias_init = long_term, bias_init
        super().__init__(depth, num_segments, base_channels, pretrained, init_cfg)
        self.conv1 = nn.Conv2d(_COLOURS, base_channels, 7, 2, 3)
        self.short_term = ShortTermTDM(base_channels, self.layer1) if short_term else None
        if short_term_share is None:
            short_term_share = 0.5 if num_segments == 8 else 0.25
        if not 0 <= short_term_share <= 1:
            raise InputError(f'short_term_share must be between 0 and 1, got {short_term_share}')
        self.short_term_share = short_term_share

    def make_block(
        self, layer: int, index: int, inplanes: int, planes: int, stride: int
    ) -> nn.Module:
        """A :class:`TDNBottleneck`, which mixes frames in layers 2 to 4."""
        motion: nn.Module = nn.Identity()
        if layer > 1:
            parts: dict[str, nn.Module] = dict(ltdm=LTDM(planes)) if self.long_term else {}
            motion = nn.Sequential(OrderedDict(parts, conv=TemporalConv(planes, 8)))
        return TDNBottleneck(inplanes, planes, stride, self.num_segments, motion)

    def forward(self, x: Tensor) -> Tensor:
        """Segments to one feature map.

        Args:
            x: (N*T, 15, H, W): red, green and blue of the first frame, of the second, to the
                fifth, normalised.

        Returns:
            (N*T, 32 * ``base_channels``, H/32, W/32), sizes rounded up.

        Raises:
            InputError: If the input has other channels.
        """
        if x.shape[1] != self.input_channels:
            raise InputError(
                f'TDN takes the {self.input_channels} channels of {FRAMES} frames, got '
                f'{tuple(x.shape)}'
            )
        frames = x.unflatten(1, (FRAMES, _COLOURS))
        x = self.maxpool(self.relu(self.bn1(self.conv1(frames[:, FRAMES // 2]))))
        if self.short_term is None:
            x = self.layer1(x)
        else:
            early, late = self.short_term((frames[:, 1:] - frames[:, :-1]).flatten(1, 2))
            x = self._join(self.layer1(self._join(x, early)), late)
        return self.layer4(self.layer3(self.layer2(x)))

    def _join(self, x: Tensor, short_term: Tensor) -> Tensor:
        enlarged = F.interpolate(short_term, x.shape[2:])
        return (1 - self.short_term_share) * x + self.short_term_share * enlarged

    def init_weights(self) -> None:
        """As :class:`ImageStart`; then the convolution of differences from the stem's."""
        fresh = not self.is_init
        super().init_weights()
        if fresh and self.short_term is not None and self.pretrained is not None:
            kernel = self.conv1.weight.data.mean(dim=1, keepdim=True)
            self.short_term.conv.weight.data.copy_(kernel.expand_as(self.short_term.conv.weight))

    def init_blocks(self) -> None:
        """Start the biases of the convolutions."""
        if self.bias_init == 'uniform':
            for part in self.modules():
                if isinstance(part, nn.Conv2d) and part.bias is not None:
                    limit = part.weight[0].numel() ** -0.5
                    nn.init.uniform_(part.bias, -limit, limit)

    def image_name(self, name: str) -> str | None:
        """Name in an image ResNet, or None for what that lacks."""
        if '.motion.' in name or _BIAS_OF_CONVOLUTION.search(name):
            return None
        if name.startswith('short_term.'):
            inner = name.removeprefix('short_term.')
            return inner if inner.startswith('layer1.') else None
        return name
