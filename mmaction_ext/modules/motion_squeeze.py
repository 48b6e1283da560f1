"""MotionSqueeze, the module of MSNet: displacements of every pixel, made into features.

Kwon, Kim, Kwak and Cho, "MotionSqueeze: Neural Motion Feature Learning for Video Understanding",
ECCV 2020, arXiv 2007.09933. The layout is that of the paper's code
(github.com/arunos728/MotionSqueeze, commit e94684d); "the code" below is that. The text of the
paper was not read. TCM comes from it: both share :mod:`mmaction_ext.modules.matching`.

Shape legend: N clips, C channels, T frames, H rows, W columns, U x V window (P x P in the code).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from mmaction.registry import MODELS
from torch import Tensor, nn

from mmaction_ext.modules.base import Displacements
from mmaction_ext.modules.matching import (
    Matching,
    MatchingModule,
    convolution,
    stage_windows,
    widening_layers,
)
from mmaction_ext.ops.window import Window


class MotionSqueezeBlock(nn.Module):
    """The block of one stage: features made of displacements are added to its own.

    Args:
        channels: ``C``, channels of the features.
        matching: Makes the maps of displacement and confidence.
    """

    def __init__(self, channels: int, matching: Matching) -> None:
        super().__init__()
        self.matching = matching
        self.transformation = nn.Sequential(
            convolution(3, 3, 7, groups=3), *widening_layers(3, channels)
        )

    def forward(self, frames: Tensor) -> Tensor:
        """Enhance frames (N, T, C, H, W)."""
        features = self.transformation(self.matching(frames).flatten(0, 1))
        return frames + features.unflatten(0, frames.shape[:2])


@MODELS.register_module()
class MotionSqueeze(MatchingModule):
    """MotionSqueeze on one or more stages of a backbone; one, res3, in the code.

    Every frame is correlated with the next one. Where each pixel goes, horizontally and
    vertically, and the correlation of its best match are three channels, of which separable
    convolutions make features that are added to the input; the last frame has the maps of the
    one before it. There is no ReLU after the sum and nothing starts at zero: a new block does
    change the features, as in the code.

    Three quirks of the code are not here: its default wrapper builds ResNet-18, its correlation
    sampler hands the dilation of the window on as that of the kernel (both are 1), and a sampler
    that was compiled for another GPU gives wrong numbers without a word, which its authors name
    as the cause where others fell short of the paper (issues 7 and 19 there).

    Args:
        in_channels: Channels at the output of each stage, by stage number.
        window: Side ``P`` of the window of displacements in pixels, or its sides ``(U, V)``,
            vertical and horizontal: for all stages, or a mapping by stage, where it replaces the
            default. The code has 15 at stage 3; the other defaults are those of TCM's code, 15,
            7 and 3 for stages 2, 4 and 5, and 15 for the stem.
        mid_channels: Channels that are correlated.
        sigma: Width, in cells of the window, of the Gaussian around the best match that the
            correlations are multiplied by. None leaves it out.
        temperature: Divisor of these products in the softmax under which the displacement is the
            expectation. The code multiplies them by 100, which it calls the temperature.

    Raises:
        InputError: If an argument is out of its range; the message names the value.
    """

    small: ClassVar = dict(mid_channels=8, window=5)
    #: A rounded feature may also choose another match.
    bfloat16_error = 0.25

    def __init__(
        self,
        in_channels: Mapping[int, int],
        *,
        window: Window | Mapping[int, Window] | None = None,
        mid_channels: int = 64,
        sigma: float | None = 5.0,
        temperature: float = 0.01,
    ) -> None:
        super().__init__(in_channels)
        windows = stage_windows(window, self.stages)
        self.blocks = nn.ModuleDict()
        for stage, channels in self.in_channels.items():
            matching = Matching(
                channels, mid_channels, windows[stage], ('fast',), sigma, temperature
            )
            self.blocks[str(stage)] = MotionSqueezeBlock(channels, matching)

    def motion(self, x: Tensor, stage: int) -> Displacements:
        """The displacements that the block sees; see :meth:`MotionModule.motion`.

        Map ``t`` leads from frame ``t`` to ``t + 1``; the last repeats the one before it, as in
        the features. The confidence is the cosine of the best match, 0 to 1.
        """
        return replace(super().motion(x, stage), names=('t+1',))
