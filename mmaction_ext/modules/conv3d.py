"""A plain convolution over space and time: what a motion module has to beat.

No paper's module. Shape legend: N clips, T frames, C channels, H rows, W columns.
"""

from collections.abc import Mapping, Sequence

from mmaction.registry import MODELS
from torch import Tensor, nn

from mmaction_ext.errors import odd_sides
from mmaction_ext.modules.frames import FrameModule, ResidualCore


class FramesConv3d(nn.Conv3d):
    """torch's ``Conv3d`` for frames, from (N, T, C, H, W) to the same with other C, T, H, W."""

    def forward(self, frames: Tensor) -> Tensor:
        """Convolve."""
        return super().forward(frames.transpose(1, 2)).transpose(1, 2)


@MODELS.register_module()
class Conv3D(FrameModule):
    """A convolution after each of one or more stages of a backbone, added to the features.

    It has one normalisation and no activation, see
    :class:`mmaction_ext.modules.frames.ResidualCore`.

    Args:
        in_channels: Channels at the output of each stage, by stage number.
        kernel_size: Odd sides (frames, rows, columns) of the kernel; of one frame it is blind to
            their order.
        zero_init: Start the normalisation at zero: a new block is the identity.

    Raises:
        InputError: If ``kernel_size`` is not three odd sides.
    """

    def __init__(
        self,
        in_channels: Mapping[int, int],
        *,
        kernel_size: Sequence[int] = (3, 3, 3),
        zero_init: bool = True,
    ) -> None:
        super().__init__(in_channels)
        sides = odd_sides('kernel_size', kernel_size)
        self.blocks = nn.ModuleDict()
        for stage, channels in self.in_channels.items():
            core = FramesConv3d(channels, channels, sides, padding='same', bias=False)
            self.blocks[str(stage)] = block = ResidualCore(core, channels)
            if not zero_init:
                nn.init.ones_(block.bn.weight)
