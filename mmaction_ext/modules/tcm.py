"""TCM: temporal correlation module, from slow and fast visual tempos.

Liu, Yuan and Tu, "Motion-Driven Visual Tempo Learning for Video-Based Action Recognition", IEEE
TIP 2022, doi 10.1109/TIP.2022.3180585. The layout is that of the paper's code
(github.com/yzfly/TCM, commit 34685f7); "the code" below is that. The text of the paper was not
read: where the code leaves a question open, the answer is our construction and says so.

Shape legend: N clips, C channels, T frames, H rows, W columns, M tempos, U x V window (K x K in
the code).
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from mmaction.registry import MODELS
from torch import Tensor, nn

from mmaction_ext.errors import InputError, check_at_least
from mmaction_ext.modules.matching import (
    TEMPOS,
    Matching,
    MatchingModule,
    convolution,
    stage_windows,
    widening_layers,
)
from mmaction_ext.ops.window import Window


class TAM(nn.Module):
    """Temporal attention module: features from the maps of MTDM, weighed along time.

    Args:
        map_channels: ``3 * M``, channels of the maps.
        channels: ``C``, channels of the features to make.
        num_segments: Frames of a clip, which the kernel of the gate is chosen for.
        temporal_attention: Whether there is a gate.
    """

    def __init__(
        self, map_channels: int, channels: int, num_segments: int, temporal_attention: bool
    ) -> None:
        super().__init__()
        grouped = [convolution(map_channels, map_channels, 3, groups=3) for _ in range(3)]
        self.transformation = nn.Sequential(*grouped, *widening_layers(map_channels, channels))
        self.gate: nn.Module | None = None
        if temporal_attention:
            kernel = (num_segments.bit_length() - 1) | 1
            self.gate = nn.Conv1d(1, 1, kernel, padding=kernel // 2, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        """Make features of maps.

        Args:
            maps: (N, T, 3 * M, H, W).

        Returns:
            (N, T, C, H, W), none negative.
        """
        features = self.transformation(maps.flatten(0, 1)).unflatten(0, maps.shape[:2])
        return features if self.gate is None else features * self._weights(self.gate, features)

    def _weights(self, gate: nn.Module, features: Tensor) -> Tensor:
        """A weight for each channel of each frame, (N, T, C, 1, 1), from its course over time."""
        courses = features.mean(dim=(-2, -1)).transpose(1, 2)  # (N, C, T)
        weights = gate(courses.flatten(0, 1).unsqueeze(1)).sigmoid()
        return weights.view(courses.shape).transpose(1, 2)[..., None, None]


class TCMBlock(nn.Module):
    """The block of one stage: what TAM makes of the maps of MTDM is added to the features.

    Args:
        mtdm: Multi-scale temporal dynamics module: makes the maps.
        tam: Makes features of them.
    """

    def __init__(self, mtdm: Matching, tam: TAM) -> None:
        super().__init__()
        self.mtdm, self.tam = mtdm, tam

    @property
    def matching(self) -> Matching:
        """The MTDM."""
        return self.mtdm

    def forward(self, frames: Tensor) -> Tensor:
        """Enhance frames (N, T, C, H, W)."""
        return frames + self.tam(self.mtdm(frames))


@MODELS.register_module()
class TCM(MatchingModule):
    """Temporal correlation module on one or more stages of a backbone; one, res3, in the code.

    At the fast tempo every frame is correlated with the next one, at the slow tempo the first
    frame with every later one: pair ``t`` links ``t`` or 0 with ``t + 1``. For each of these
    T-1 pairs MTDM finds where every pixel goes, and TAM makes features of that, which are added
    to the input. There is no ReLU after the sum and nothing starts at zero: a new block does
    change the features, as in the code.

    Args:
        in_channels: Channels at the output of each stage, by stage number.
        num_segments: ``T`` of the clips of a recipe. The kernel of the gate along time is
            ``log2(T)``, rounded down and then up to an odd number: 3 for 8 frames, 5 for 16.
            Clips of other lengths are accepted.
        window: Side of the window of displacements in pixels, or its sides ``(U, V)``, vertical
            and horizontal: for all stages, or a mapping by stage, where it replaces the default.
            The default is that of the code, 15, 15, 7 and 3 for stages 2 to 5; the code has none
            for the stem, which gets 15 too, and no windows that are not square.
        mid_channels: Channels that are correlated.
        tempos: ``'fast'``, ``'slow'`` or both; the fast one comes first in any case. With one
            tempo the transformation starts with 3 channels instead of 6. It keeps its 3 groups,
            which then have one channel instead of two, so that what sees a channel differs as
            little as it can; the code knows both tempos only.
        sigma: Width, in cells of the window, of the Gaussian around the best match that the
            correlations are multiplied by. None leaves it out.
        temperature: Divisor of these products in the softmax under which the displacement is the
            expectation. The code multiplies them by 100, which it calls the temperature.
        temporal_attention: Weigh the features along time. Without it the block is our reading of
            "MTDM alone": the code has the convolutions that make features of displacements in
            TAM, and these stay, since the maps could not be added to the input without them.

    Of the six channels, the code groups neighbours: fast x with fast y, fast confidence with
    slow x, slow y with slow confidence. The groups across the tempos are kept, so that the
    code's weights fit.

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
        num_segments: int = 8,
        window: Window | Mapping[int, Window] | None = None,
        mid_channels: int = 64,
        tempos: Sequence[str] = TEMPOS,
        sigma: float | None = 5.0,
        temperature: float = 0.01,
        temporal_attention: bool = True,
    ) -> None:
        super().__init__(in_channels)
        check_at_least('num_segments', num_segments, 2)
        _check_tempos(tempos)
        self.num_segments = num_segments
        self.tempos = tuple(tempo for tempo in TEMPOS if tempo in tempos)
        windows = stage_windows(window, self.stages)
        self.blocks = nn.ModuleDict()
        for stage, channels in self.in_channels.items():
            mtdm = Matching(
                channels, mid_channels, windows[stage], self.tempos, sigma, temperature
            )
            tam = TAM(3 * len(self.tempos), channels, num_segments, temporal_attention)
            self.blocks[str(stage)] = TCMBlock(mtdm, tam)


def _check_tempos(tempos: Sequence[str]) -> None:
    if (
        isinstance(tempos, str)
        or not tempos
        or not set(tempos) <= set(TEMPOS)
        or len(set(tempos)) < len(tempos)
    ):
        raise InputError(
            f'tempos must be a sequence of some of {TEMPOS}, none twice, got {tempos!r}'
        )
