"""TAdaConv: a convolution of frames whose weights adapt to each frame.

"TAda! Temporally-Adaptive Convolutions for Video Understanding", Huang et al., ICLR 2022,
arXiv 2110.06178; https://github.com/alibaba-mmai-research/TAdaConv, commit 75b7839, called the
code below. The network of the paper is :class:`mmaction_ext.models.TAda2D`.

Shape legend: N clips, T frames, C channels, H rows, W columns.
"""

from collections.abc import Mapping
from typing import Any

from mmaction.registry import MODELS
from mmengine.model import kaiming_init
from torch import Tensor, nn

from mmaction_ext.modules.frames import FrameModule, ResidualCore


class RouteFunction(nn.Module):
    """How strongly each frame sees each channel: 1 at the start, for all.

    ``1 + b(ReLU(BN(a(l + g(mean of l over time)))))``, where ``l`` is the spatial mean of each
    frame, ``g`` is pointwise, and ``a`` and ``b`` are convolutions over three frames that narrow
    the channels to a quarter and widen them again. Frames beyond the ends of a clip are zero.

    Args:
        channels: ``C``.
        global_context: Without it nothing is added to ``l``, and there is no ``g``.
    """

    def __init__(self, channels: int, global_context: bool = True) -> None:
        super().__init__()
        narrow = max(channels // 4, 1)
        self.g = nn.Conv1d(channels, channels, 1) if global_context else None
        self.a = nn.Conv1d(channels, narrow, 3, padding=1)
        self.bn = nn.BatchNorm1d(narrow)
        self.relu = nn.ReLU(inplace=True)
        self.b = nn.Conv1d(narrow, channels, 3, padding=1, bias=False)
        for layer in (self.g, self.a):
            if layer is not None:
                kaiming_init(layer)  # a bias of zero, as in the code
        nn.init.zeros_(self.b.weight)

    def forward(self, frames: Tensor) -> Tensor:
        """Weights of channels.

        Args:
            frames: (N, T, C, H, W).

        Returns:
            (N, T, C, 1, 1).
        """
        context = frames.mean((-2, -1)).transpose(1, 2)  # (N, C, T)
        if self.g is not None:
            context = context + self.g(context.mean(2, keepdim=True))
        weights = 1 + self.b(self.relu(self.bn(self.a(context))))
        return weights.transpose(1, 2)[..., None, None]


class TAdaConv2d(nn.Conv2d):
    """Convolution of each frame, whose weights are scaled for that frame and input channel.

    It is linear in each input channel: scaling the channels of the frames does the same as the
    code, which scales the weights and then has a group of convolutions for every frame.

    Args:
        in_channels: ``C``.
        out_channels: Channels of the output.
        kernel_size: Of the convolution.
        global_context: See :class:`RouteFunction`.
        **convolution: What else torch's ``Conv2d`` takes.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        global_context: bool = True,
        **convolution: Any,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, **convolution)
        self.route = RouteFunction(in_channels, global_context)

    def forward(self, frames: Tensor) -> Tensor:
        """From (N, T, C, H, W) to the same with other C, H and W."""
        scaled = frames * self.route(frames)
        return super().forward(scaled.flatten(0, 1)).unflatten(0, frames.shape[:2])


@MODELS.register_module()
class TAdaConv(FrameModule):
    """A 3x3 TAdaConv after each of one or more stages of a backbone, added to the features.

    Our construction: in its own network it replaces the 3x3 convolutions of all bottlenecks.

    Args:
        in_channels: Channels at the output of each stage, by stage number.
        global_context: See :class:`RouteFunction`.
        zero_init: Start the normalisation at zero: a new block is the identity.
    """

    def __init__(
        self,
        in_channels: Mapping[int, int],
        *,
        global_context: bool = True,
        zero_init: bool = True,
    ) -> None:
        super().__init__(in_channels)
        self.blocks = nn.ModuleDict()
        for stage, channels in self.in_channels.items():
            core = TAdaConv2d(channels, channels, 3, global_context, padding=1, bias=False)
            self.blocks[str(stage)] = block = ResidualCore(core, channels)
            if not zero_init:
                nn.init.ones_(block.bn.weight)
