"""MFNet: the 3-D multi-fiber network.

"Multi-Fiber Networks for Video Recognition", section 3 and Table 1; the backbone of KPSEM.

Shape legend: N clips, C channels, T frames, H rows, W columns.
"""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmaction_ext.errors import InputError
from mmaction_ext.models.backbones.stem import build_stem

Size = tuple[int, int, int]

_INIT = (
    dict(type='Xavier', layer='Conv3d', distribution='uniform'),
    dict(type='Constant', layer='BatchNorm3d', val=1),
)


class PreActivationConv(nn.Module):
    """Normalisation, ReLU and a convolution without bias, in this order.

    Args:
        in_channels: Channels of the input; they are what is normalised.
        out_channels: Channels of the output.
        kernel_size: (T, H, W) of the kernel, all odd; padding keeps the size at stride 1.
        stride: (T, H, W) of the stride.
        groups: Fibers that do not see each other.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size = (1, 1, 1),
        stride: Size = (1, 1, 1),
        groups: int = 1,
    ) -> None:
        super().__init__()
        self.bn = nn.BatchNorm3d(in_channels)
        self.relu = nn.ReLU(inplace=True)
        depth, height, width = kernel_size
        padding = (depth // 2, height // 2, width // 2)
        self.conv = nn.Conv3d(
            in_channels, out_channels, kernel_size, stride, padding, groups=groups, bias=False
        )

    def forward(self, x: Tensor) -> Tensor:
        """Convolve what is positive of the normalised input, (N, C, T, H, W)."""
        return self.conv(self.relu(self.bn(x)))


class MultiFiberUnit(nn.Module):
    """A residual unit of separate fibers with a multiplexer before them.

    The multiplexer, two 1x1x1 convolutions around a quarter of the channels, is all that joins
    the fibers; what it makes is added to the input. The shortcut takes the unit's own input.

    Args:
        in_channels: Channels of the input.
        out_channels: Channels of the output and between the two convolutions of the fibers.
        groups: Number of fibers.
        stride: (T, H, W), on the first convolution of the fibers.
        first: Whether the unit is the first one of its stage: its second convolution is 1x1x1
            and joins the fibers, and its shortcut is a strided 1x1x1 convolution.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        groups: int,
        stride: Size = (1, 1, 1),
        first: bool = False,
    ) -> None:
        super().__init__()
        multiplexer_channels = out_channels // 4
        self.multiplexer_in = PreActivationConv(in_channels, multiplexer_channels)
        self.multiplexer_out = PreActivationConv(multiplexer_channels, in_channels)
        self.conv1 = PreActivationConv(in_channels, out_channels, (3, 3, 3), stride, groups)
        if first:
            self.conv2 = PreActivationConv(out_channels, out_channels)
        else:
            self.conv2 = PreActivationConv(out_channels, out_channels, (1, 3, 3), groups=groups)
        self.shortcut = (
            PreActivationConv(in_channels, out_channels, stride=stride) if first else nn.Identity()
        )

    def forward(self, x: Tensor) -> Tensor:
        """Features (N, C, T, H, W) to features of ``out_channels``, reduced by the stride."""
        joined = x + self.multiplexer_out(self.multiplexer_in(x))
        return self.conv2(self.conv1(joined)) + self.shortcut(x)


@MODELS.register_module()
class MFNet(BaseModule):
    """The 3-D multi-fiber network without its classifier, which ``I3DHead`` completes.

    ``stage1`` is the stem with its pool, ``stage2`` to ``stage5`` are the stages of multi-fiber
    units, ``tail`` is the normalisation and ReLU that pre-activated stages still need. Frames
    are halved once, by the first unit of ``stage2``.

    With ``I3DHead(400, 768)`` it has 7,996,368 parameters and, for 16 frames of 224x224,
    11,045,142,528 multiply-adds: the numbers of the network the authors published.

    Args:
        in_channels: Channels of a frame.
        stem_channels: Channels of ``stage1``.
        channels: Channels of ``stage2`` to ``stage5``.
        depths: Units of ``stage2`` to ``stage5``.
        groups: Number of fibers.
        init_cfg: As in mmengine's ``BaseModule``. None: Xavier's uniform initialisation of
            convolutions, normalisations at one, as in the authors' code
            (github.com/cypw/PyTorch-MFNet). That does the same to its classifier, which here
            starts by the rule of the head.

    Raises:
        InputError: If the channels do not divide into fibers.
    """

    def __init__(
        self,
        in_channels: int = 3,
        stem_channels: int = 16,
        channels: Sequence[int] = (96, 192, 384, 768),
        depths: Sequence[int] = (3, 4, 6, 3),
        groups: int = 16,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(init_cfg=list(_INIT) if init_cfg is None else init_cfg)
        _check_widths((stem_channels, *channels), groups)
        if len(channels) != 4 or len(depths) != 4:
            raise InputError(
                'channels and depths are those of stages 2 to 5, got '
                f'{tuple(channels)} and {tuple(depths)}'
            )
        self.stage1 = build_stem(in_channels, stem_channels, (3, 5, 5))
        strides = ((2, 1, 1), (1, 2, 2), (1, 2, 2), (1, 2, 2))
        widths = (stem_channels, *channels)
        for i, (depth, stride) in enumerate(zip(depths, strides, strict=True)):
            stage = _stage(widths[i], widths[i + 1], depth, groups, stride)
            self.add_module(f'stage{i + 2}', stage)
        self.tail = nn.Sequential(
            OrderedDict(bn=nn.BatchNorm3d(channels[-1]), relu=nn.ReLU(inplace=True))
        )

    def forward(self, x: Tensor) -> Tensor:
        """Clips to one feature map.

        Args:
            x: (N, C, T, H, W).

        Returns:
            (N, ``channels[-1]``, T/2, H/32, W/32), sizes rounded up.
        """
        x = self.stage1(x)
        x = self.stage5(self.stage4(self.stage3(self.stage2(x))))
        return self.tail(x)


def _check_widths(widths: Sequence[int], groups: int) -> None:
    for width in widths:
        if width < 4 or width % groups:
            raise InputError(
                f'{width} channels do not divide into groups={groups} fibers, or '
                'are fewer than the 4 of which the multiplexer keeps one'
            )


def _stage(
    in_channels: int, channels: int, depth: int, groups: int, stride: Size
) -> nn.Sequential:
    first = MultiFiberUnit(in_channels, channels, groups, stride, first=True)
    more = (MultiFiberUnit(channels, channels, groups) for _ in range(depth - 1))
    return nn.Sequential(first, *more)
