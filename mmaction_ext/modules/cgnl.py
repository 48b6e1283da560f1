"""CGNL: the compact generalized non-local block, attention over channels and positions at once.

Yue, Sun, Yuan, Zhou, Ding and Xu, "Compact Generalized Non-local Network", NeurIPS 2018, arXiv
1810.13125. The layers are those of the paper's code (github.com/KaiyuYue/cgnl-network.pytorch,
commit 33e348b), which has images only; "the code" below is that. The text was not read.

Shape legend: N clips, T frames, C channels, H rows, W columns, G groups, S samples that are
attended over as one: clips, or single frames.
"""

import functools
import math
import operator
from collections.abc import Mapping
from typing import Any, ClassVar

from mmaction.registry import MODELS
from torch import Tensor, nn

from mmaction_ext.errors import InputError, check_at_least, check_choice, check_positive
from mmaction_ext.modules.frames import FrameModule
from mmaction_ext.ops.precision import widened

OVER = ('clip', 'frame')


class CGNLBlock(nn.Module):
    """Adds to features what all channels and positions of their group say of each, normalised.

    Of ``theta``, ``phi`` and ``g``, projections to half the channels, each group of channels is
    one long vector. With the dot product as kernel the non-local sum of every entry is ``theta``
    there times the scalar ``phi . g``; with the Gaussian one, whose Taylor series breaks off, a
    few such products are added. A grouped convolution leads back to ``C`` channels.

    Its groups are those of the normalisation behind it, as in the code, so of the scalar of the
    dot product only the sign, and its size beside the normalisation's epsilon, reach the output.

    Args:
        channels: ``C``.
        groups: ``G``.
        order: Last power of the Taylor series, CGNLx; None for the dot product.
        gamma: Of the Gaussian kernel.
        over: See :class:`CGNL`.
        zero_init: See :class:`CGNL`.

    Raises:
        InputError: If half the channels do not divide into groups, or an argument is out of its
            range.
    """

    def __init__(
        self,
        channels: int,
        groups: int = 8,
        order: int | None = None,
        gamma: float = 1e-4,
        over: str = 'clip',
        zero_init: bool = True,
    ) -> None:
        super().__init__()
        check_at_least('groups', groups, 1)
        check_positive('gamma', gamma)
        check_choice('over', over, OVER)
        if order is not None:
            check_at_least('order', order, 0)
        if channels % (2 * groups):
            raise InputError(
                f'half of {channels} channels does not divide into groups={groups}: give CGNL '
                'other groups'
            )
        self.groups, self.over = groups, over
        self.powers = [(1, 1.0)] if order is None else _taylor(order, gamma)
        mid_channels = channels // 2
        self.t = nn.Conv2d(channels, mid_channels, 1, bias=False)
        self.p = nn.Conv2d(channels, mid_channels, 1, bias=False)
        self.g = nn.Conv2d(channels, mid_channels, 1, bias=False)
        self.z = nn.Conv2d(mid_channels, channels, 1, groups=groups, bias=False)
        self.gn = nn.GroupNorm(groups, channels)
        for layer in (self.t, self.p, self.g, self.z):
            nn.init.normal_(layer.weight, std=0.01)
        if zero_init:
            nn.init.zeros_(self.gn.weight)

    def forward(self, frames: Tensor) -> Tensor:
        """Enhance frames (N, T, C, H, W)."""
        x = frames.flatten(0, 1)
        samples = len(frames) if self.over == 'clip' else len(x)
        theta = self.t(x)
        phi, g = (self._grouped(widened(layer(x)), samples) for layer in (self.p, self.g))
        # z has the groups of the scalars, which so may come behind it: in half precision a sum
        # over a whole clip could overflow
        terms = (
            (phi**power * g).sum((1, 3, 4, 5), keepdim=True)
            * self._grouped(widened(self.z(theta**power)), samples)
            * weight
            for power, weight in self.powers
        )
        mixed = functools.reduce(operator.add, terms).flatten(2, 3).transpose(1, 2)
        branch = self.gn(mixed.to(self.gn.weight.dtype)).transpose(1, 2).flatten(0, 1)
        return frames + branch.unflatten(0, frames.shape[:2]).to(frames.dtype)

    def _grouped(self, x: Tensor, samples: int) -> Tensor:
        """Frames (N*T, C, H, W) by sample and group: (S, N*T/S, G, C/G, H, W)."""
        return x.unflatten(0, (samples, -1)).unflatten(2, (self.groups, -1))


def _taylor(order: int, gamma: float) -> list[tuple[int, float]]:
    """Powers of a * b and their weights in exp(-gamma |a - b|^2), for a and b of length 1."""
    return [
        (power, (2 * gamma) ** power / math.factorial(power) * math.exp(-2 * gamma))
        for power in range(order + 1)
    ]


@MODELS.register_module()
class CGNL(FrameModule):
    """Compact generalized non-local blocks after stages of a backbone.

    The code has one in ResNet-50, before the last block of its third layer, for images. For
    video its author advises to flatten channels, frames, rows and columns together (issue 4 of
    the code). A block sums over frames without regard to their order: by itself it is blind to
    the direction of time.

    Args:
        in_channels: See :class:`MotionModule`.
        groups: ``G``, 8 in the code.
        order: None for the dot product; the last power of the Taylor series of the Gaussian
            kernel, 3 in the code, for CGNLx.
        gamma: Of the Gaussian kernel, 1e-4 in the code.
        over: What is one sample, of the attention and of its normalisation: ``'clip'``, as the
            author advises, or ``'frame'``, the code's images one by one.
        zero_init: Start the normalisation at zero, as the code does: a new block is the identity.

    Raises:
        InputError: See :class:`CGNLBlock`.
    """

    small: ClassVar[Mapping[str, Any]] = dict(groups=2, zero_init=False)

    def __init__(self, in_channels: Mapping[int, int], **arguments: Any) -> None:
        super().__init__(in_channels)
        self.blocks = nn.ModuleDict(
            {
                str(stage): CGNLBlock(channels, **arguments)
                for stage, channels in self.in_channels.items()
            }
        )
