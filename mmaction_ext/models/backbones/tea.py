"""TEA: a Res2Net whose blocks gate channels by motion and mix neighbouring frames.

"TEA: Temporal Excitation and Aggregation for Action Recognition", Li et al., CVPR 2020, arXiv
2004.01398. The layout is that of the released code (github.com/Phoenix1327/tea-action-recognition,
commit f59e2f8); the text of the paper was not read.

Shape legend: N clips, T frames, C channels, H rows, W columns.
"""

from typing import Any

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from torch import Tensor, nn
from torchvision.models.resnet import Bottleneck

from mmaction_ext.errors import check_at_least
from mmaction_ext.models.backbones.frame_resnet import FrameResNet, make_shortcut
from mmaction_ext.modules.neighbours import TemporalConv
from mmaction_ext.modules.tea import ME

_SCALES = 4


class TEABottleneck(nn.Module):
    """A block of Res2Net, 26w x 4s, with motion excitation and convolutions over time.

    Without these two it has the names of timm's block.

    Args:
        inplanes: Channels of its input.
        planes: A quarter of the channels of its output; each of the four parts of its inner
            channels has 26/64 of them.
        stride: Of the spatial convolutions and of the shortcut.
        first: Of its layer: the parts are not added up, and the last one is averaged over 3 x 3
            pixels (zeros beyond the border count), also where the stride is 1.
        num_segments: ``T``.
        motion_excitation: See :class:`TEA`.
        temporal_aggregation: See :class:`TEA`.
    """

    def __init__(
        self,
        inplanes: int,
        planes: int,
        stride: int,
        first: bool,
        num_segments: int,
        motion_excitation: bool,
        temporal_aggregation: bool,
    ) -> None:
        super().__init__()
        self.num_segments = num_segments
        width = planes * 26 // 64
        self.conv1 = nn.Conv2d(inplanes, width * _SCALES, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width * _SCALES)
        self.me = ME(width * _SCALES) if motion_excitation else nn.Identity()
        self.shifts = nn.ModuleList(
            TemporalConv(width, shift_div) if temporal_aggregation else nn.Identity()
            for shift_div in (None, None, None, 2)
        )
        self.convs = nn.ModuleList(
            nn.Conv2d(width, width, 3, stride, 1, bias=False) for _ in range(_SCALES - 1)
        )
        self.bns = nn.ModuleList(nn.BatchNorm2d(width) for _ in range(_SCALES - 1))
        self.first = first
        self.pool = nn.AvgPool2d(3, stride, 1) if first else nn.Identity()
        self.conv3 = nn.Conv2d(width * _SCALES, planes * Bottleneck.expansion, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(planes * Bottleneck.expansion)
        self.downsample = make_shortcut(inplanes, planes, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Features (N*T, C, H, W) to features with four times ``planes``."""
        frames = F.relu(self.bn1(self.conv1(x))).unflatten(0, (-1, self.num_segments))
        y = self._aggregate(self.me(frames).chunk(_SCALES, dim=2))
        y = self.bn3(self.conv3(y))
        return F.relu(y + (x if self.downsample is None else self.downsample(x)))

    def _aggregate(self, parts: tuple[Tensor, ...]) -> Tensor:
        """Four parts (N, T, C/4, H, W) to (N*T, C, H, W); all but the last are convolved."""
        outputs: list[Tensor] = []
        for part, shift, conv, bn in zip(
            parts[:-1], self.shifts[:-1], self.convs, self.bns, strict=True
        ):
            if outputs and not self.first:
                part = part + outputs[-1].unflatten(0, part.shape[:2])
            outputs.append(F.relu(bn(conv(shift(part).flatten(0, 1)))))
        outputs.append(self.pool(self.shifts[-1](parts[-1]).flatten(0, 1)))
        return torch.cat(outputs, dim=1)


@MODELS.register_module()
class TEA(FrameResNet):
    """Res2Net-50 or -101 on frames, with motion excitation and multiple temporal aggregation.

    With ``TSNHead(174, 2048)`` depth 50 has 24.46 M parameters and, for 8 frames of 224 x 224,
    34.54 G multiply-adds.

    Args:
        depth: 50 or 101; or 14 or 26, with one and two blocks a stage.
        num_segments: ``T``, frames of a clip.
        base_channels: See :class:`FrameResNet`; at least 3.
        motion_excitation: Gate the inner channels of each block, see
            :class:`mmaction_ext.modules.tea.ME`.
        temporal_aggregation: Mix each part of the inner channels with that of the frames beside,
            the last part as half a shift either way to begin with. Without it, and without motion
            excitation, the network is Res2Net itself on each frame.
        pretrained: Weights of Res2Net to start from, ``'timm.res2net50_26w_4s'``; see
            :class:`ImageStart`. None for none.
        init_cfg: As of mmengine's ``BaseModule``.

    Raises:
        InputError: As of :class:`FrameResNet`.
    """

    def __init__(
        self,
        depth: int,
        num_segments: int,
        base_channels: int = 64,
        motion_excitation: bool = True,
        temporal_aggregation: bool = True,
        pretrained: str | None = None,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        check_at_least('base_channels', base_channels, 3)
        self.motion_excitation = motion_excitation
        self.temporal_aggregation = temporal_aggregation
        super().__init__(depth, num_segments, base_channels, pretrained, init_cfg)

    def make_block(
        self, layer: int, index: int, inplanes: int, planes: int, stride: int
    ) -> nn.Module:
        """A :class:`TEABottleneck`, in all four layers."""
        return TEABottleneck(
            inplanes,
            planes,
            stride,
            index == 0,
            self.num_segments,
            self.motion_excitation,
            self.temporal_aggregation,
        )

    def image_name(self, name: str) -> str | None:
        """Name in timm's Res2Net, or None for the parts over time."""
        return None if '.me.' in name or '.shifts.' in name else name
