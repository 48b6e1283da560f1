"""Modules whose block takes the frames of clips, and what a block is put around a stage's output.

Shape legend: N clips, T frames, C channels, H rows, W columns.
"""

from torch import Tensor, nn

from mmaction_ext.modules.base import MotionModule


class FrameModule(MotionModule):
    """A module whose blocks enhance frames, (N, T, C, H, W), and carry nothing between stages.

    The cores of networks that mix frames inside their own blocks are such blocks: here they can
    be tried after a stage of any other backbone.

    Args:
        in_channels: See :class:`MotionModule`.
    """

    @property
    def min_frames(self) -> int:
        """2: one has nothing to move to."""
        return 2

    def forward(
        self, x: Tensor, stage: int, carried: tuple[Tensor, ...] = ()
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Run the block of ``stage``; see :meth:`MotionModule.forward`. Carries nothing.

        Raises:
            InputError: As :meth:`MotionModule.block_for`.
        """
        return self.block_for(x, stage)(x.transpose(1, 2)).transpose(1, 2), ()


class ResidualCore(nn.Module):
    """Adds to frames what the core of a network's block makes of them, normalised.

    Our construction, for cores that stand in the place of a convolution in their own network and
    are no residual branch there. The normalisation starts at zero: a new block is the identity.

    Args:
        core: From (N, T, C, H, W) to the same shape.
        channels: ``C``.
    """

    def __init__(self, core: nn.Module, channels: int) -> None:
        super().__init__()
        self.core, self.bn = core, nn.BatchNorm2d(channels)
        nn.init.zeros_(self.bn.weight)

    def forward(self, frames: Tensor) -> Tensor:
        """Enhance frames (N, T, C, H, W)."""
        branch = self.bn(self.core(frames).flatten(0, 1))
        return frames + branch.unflatten(0, frames.shape[:2])
