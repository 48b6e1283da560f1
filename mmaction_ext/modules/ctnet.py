"""The channel tensorization module of CT-Net.

"CT-Net: Channel Tensorization Network for Video Classification", Li et al., ICLR 2021,
arXiv 2106.01603; https://github.com/Andy1621/CT-Net, commit 83badd6, called the code below. The
network of the paper is :class:`mmaction_ext.models.CTNet`.

Shape legend: N clips, T frames, C channels, H rows, W columns.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mmaction.registry import MODELS
from mmcv.cnn import ConvModule
from torch import Tensor, nn

from mmaction_ext.errors import InputError
from mmaction_ext.modules.frames import FrameModule, ResidualCore

GATES = ('space', 'time', 'channel')
_SPACE, _TIME, _POINT = (1, 3, 3), (3, 1, 1), (1, 1, 1)
#: Of each gate: the kernel of its convolutions, and the dimensions it averages before them.
_GATE: dict[str, tuple[tuple[int, int, int], tuple[int, ...]]] = {
    'space': (_SPACE, (2,)),
    'time': (_TIME, (3, 4)),
    'channel': (_POINT, (3, 4)),
}


class Gate(nn.Sequential):
    """Multiplies features by what two grouped convolutions make of their means, 0 to 1.

    Args:
        kind: ``'space'`` (means over time), ``'time'`` or ``'channel'`` (means over space: each
            frame has its own).
        channels: ``C``.
        groups: Of both convolutions; a group has a quarter of its channels between them.
    """

    def __init__(self, kind: str, channels: int, groups: int) -> None:
        kernel, self.averaged = _GATE[kind]
        narrow = groups * max(channels // groups // 4, 1)
        super().__init__(
            _convolution(channels, narrow, kernel, groups),
            _convolution(
                narrow, channels, kernel, groups, norm_cfg=None, act_cfg=dict(type='Sigmoid')
            ),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Gate features (N, C, T, H, W)."""
        return x * super().forward(x.mean(self.averaged, keepdim=True))


class GroupedConvolutions(nn.Module):
    """Half of a channel tensorization module: grouped convolutions of space and of time, gated.

    ``space_gate(space(x)) + time_gate(time(x))``, and the channel gate behind it.

    Args:
        channels: ``C``.
        groups: Of all convolutions.
        gates: Which of :data:`GATES` there are.
    """

    def __init__(self, channels: int, groups: int, gates: Sequence[str]) -> None:
        super().__init__()
        self.space = _convolution(channels, channels, _SPACE, groups)
        self.time = _convolution(channels, channels, _TIME, groups)
        self.gates = nn.ModuleDict(
            {
                kind: Gate(kind, channels, groups) if kind in gates else nn.Identity()
                for kind in GATES
            }
        )

    def forward(self, x: Tensor) -> Tensor:
        """From (N, C, T, H, W) to the same shape, none negative."""
        both = self.gates['space'](self.space(x)) + self.gates['time'](self.time(x))
        return self.gates['channel'](both)


class ChannelTensorization(nn.Module):
    """Sees the channels as a table of rows and columns, and convolves one after the other.

    Channel ``i * columns + j`` stands in row ``i``, column ``j``. First the channels of a row see
    each other (``rows`` groups), then those of a column (``columns`` groups), with a pointwise
    convolution between.

    Args:
        channels: ``C``. The table has ``rows * columns = C`` cells, where ``rows`` is the largest
            divisor up to the square root: 8 x 8, 8 x 16, 16 x 16 and 16 x 32 for the 64 to 512
            channels of ResNet-50. The code knows powers of two only.
        gates: Which of :data:`GATES` there are, in both halves.

    Raises:
        InputError: If ``gates`` names something else, or one twice.
    """

    def __init__(self, channels: int, gates: Sequence[str] = GATES) -> None:
        super().__init__()
        if isinstance(gates, str) or not set(gates) <= set(GATES) or len(set(gates)) < len(gates):
            raise InputError(
                f'gates must be a sequence of some of {GATES}, none twice, got {gates!r}'
            )
        self.rows = max(n for n in range(1, math.isqrt(channels) + 1) if channels % n == 0)
        self.columns = channels // self.rows
        self.by_row = GroupedConvolutions(channels, self.rows, gates)
        self.fusion = _convolution(channels, channels, _POINT)
        self.by_column = GroupedConvolutions(channels, self.columns, gates)

    def forward(self, frames: Tensor) -> Tensor:
        """From (N, T, C, H, W) to the same shape, none negative."""
        x = self.fusion(self.by_row(frames.transpose(1, 2)))
        x = self.by_column(_transposed(x, self.rows))
        return _transposed(x, self.columns).transpose(1, 2)


@MODELS.register_module()
class CT(FrameModule):
    """Channel tensorization after each of one or more stages of a backbone, added to the features.

    Our construction: in its own network it replaces the 3x3 convolution of bottlenecks.

    Args:
        in_channels: Channels at the output of each stage, by stage number.
        gates: See :class:`ChannelTensorization`.
        zero_init: Start the normalisation at zero: a new block is the identity.

    Raises:
        InputError: As :class:`ChannelTensorization`.
    """

    def __init__(
        self,
        in_channels: Mapping[int, int],
        *,
        gates: Sequence[str] = GATES,
        zero_init: bool = True,
    ) -> None:
        super().__init__(in_channels)
        self.blocks = nn.ModuleDict()
        for stage, channels in self.in_channels.items():
            core = ChannelTensorization(channels, gates)
            self.blocks[str(stage)] = block = ResidualCore(core, channels)
            if not zero_init:
                nn.init.ones_(block.bn.weight)


def _transposed(x: Tensor, rows: int) -> Tensor:
    """Features (N, C, T, H, W) whose table of channels, of so many rows, is transposed."""
    return x.unflatten(1, (rows, -1)).transpose(1, 2).flatten(1, 2)


def _convolution(
    in_channels: int,
    out_channels: int,
    kernel: tuple[int, int, int],
    groups: int = 1,
    **layers: Any,
) -> ConvModule:
    """Convolution without bias, normalisation, ReLU; starts by Kaiming's rule (fan out)."""
    return ConvModule(
        in_channels,
        out_channels,
        kernel,
        padding=tuple(side // 2 for side in kernel),
        groups=groups,
        bias=False,
        conv_cfg=dict(type='Conv3d'),
        **{'norm_cfg': dict(type='BN3d'), **layers},
    )
