"""TCM: temporal correlation module, from slow and fast visual tempos.

Liu, Yuan and Tu, "Motion-Driven Visual Tempo Learning for Video-Based Action Recognition", IEEE
TIP 2022, doi 10.1109/TIP.2022.3180585. The layout is that of the paper's code
(github.com/yzfly/TCM, commit 34685f7); "the code" below is that. The text of the paper was not
read: where the code leaves a question open, the answer is our construction and says so.

Shape legend: N clips, C channels, T frames, H rows, W columns, M tempos, U x V window (K x K in
the code), B = N * M * (T-1) pairs of frames.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import ClassVar

import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmcv.cnn import ConvModule
from torch import Tensor, nn

from mmaction_ext.errors import InputError, check_at_least, check_positive
from mmaction_ext.modules.base import Displacements, MotionModule
from mmaction_ext.ops import l2_normalize, pair_correlation, soft_argmax
from mmaction_ext.ops.precision import widened
from mmaction_ext.ops.window import Window, window_sides

TEMPOS = ('fast', 'slow')
DEFAULT_WINDOWS = {1: 15, 2: 15, 3: 15, 4: 7, 5: 3}
_TRANSFORMATION_CHANNELS = (16, 32, 64)


class MTDM(nn.Module):
    """Multi-scale temporal dynamics module: where every pixel goes, at each tempo.

    Args:
        channels: ``C``, channels of the features.
        mid_channels: Channels that are correlated.
        window: Sides ``(U, V)`` of the window that a pixel is looked for in.
        tempos: Names of the tempos, in the order of the maps.
        sigma: Width of the Gaussian mask in cells of the window; None for no mask.
        temperature: Divisor of the correlations in the softmax.
    """

    def __init__(
        self,
        channels: int,
        mid_channels: int,
        window: tuple[int, int],
        tempos: Sequence[str],
        sigma: float | None,
        temperature: float,
    ) -> None:
        super().__init__()
        self.window, self.tempos = window, tuple(tempos)
        self.sigma, self.temperature = sigma, temperature
        self.conv = nn.Conv2d(channels, mid_channels, 1, bias=False)
        self.bn = nn.BatchNorm2d(mid_channels)
        nn.init.kaiming_normal_(self.conv.weight, mode='fan_out', nonlinearity='relu')

    def forward(self, frames: Tensor) -> Tensor:
        """Displacement and confidence maps.

        Args:
            frames: Features, (N, T, C, H, W).

        Returns:
            (N, T, 3 * M, H, W): for each tempo the horizontal and the vertical displacement as a
            fraction of the window's half, and the confidence.
        """
        displacement, confidence = self.track(frames)
        vertical, horizontal = (max(1, side // 2) for side in self.window)
        dy, dx = displacement.unbind(dim=3)
        maps = torch.stack((dx / horizontal, dy / vertical, confidence), dim=3)
        return maps.transpose(1, 2).flatten(2, 3).to(frames.dtype)

    def sources(self, num_frames: int) -> tuple[tuple[int, ...], ...]:
        """Source frame of each of the M maps at each of the T frames; see :meth:`track`."""
        by_tempo = {'fast': (*range(num_frames - 1), num_frames - 2), 'slow': (0,) * num_frames}
        return tuple(by_tempo[tempo] for tempo in self.tempos)

    def track(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Where the pixels go, and how sure that is.

        Args:
            frames: Features, (N, T, C, H, W).

        Returns:
            Displacements (dy, dx) in pixels, (N, M, T, 2, H, W), and the correlation of the best
            match, (N, M, T, H, W), at least in float32. The last map is there twice.
        """
        queries, keys = self._pairs(self._reduce(frames))
        # the code's ReLU on this is left out: products of features behind a ReLU are not negative
        volume = pair_correlation(queries, keys, self.window, scale=1.0)
        confidence, best = volume.max(dim=1)
        if self.sigma is not None:
            volume = _mask_around(best, volume, self.window, self.sigma)
        displacement = soft_argmax(volume, self.window, self.temperature)
        pairs = (frames.shape[0], len(self.tempos), frames.shape[1] - 1)
        return (
            _repeat_last(displacement.unflatten(0, pairs)),
            _repeat_last(confidence.unflatten(0, pairs)),
        )

    def _reduce(self, frames: Tensor) -> Tensor:
        """Features of length 1, (N, T, mid_channels, H, W)."""
        reduced = F.relu(self.bn(self.conv(frames.flatten(0, 1))))
        # not in half precision, whose rounding of the cosines the temperature would magnify
        return l2_normalize(widened(reduced)).unflatten(0, frames.shape[:2])

    def _pairs(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Source and target of each pair, (B, mid_channels, H, W), from features of length 1."""
        targets = frames[:, 1:]
        sources = {'fast': frames[:, :-1], 'slow': frames[:, :1].expand_as(targets)}
        queries = torch.stack([sources[tempo] for tempo in self.tempos], dim=1)
        keys = targets.unsqueeze(1).expand_as(queries)
        return queries.flatten(0, 2), keys.flatten(0, 2)


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
        self.transformation = _transformation(map_channels, channels)
        self.gate: nn.Module | None = None
        if temporal_attention:
            kernel = _gate_kernel(num_segments)
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
        mtdm: Makes the maps.
        tam: Makes features of them.
    """

    def __init__(self, mtdm: MTDM, tam: TAM) -> None:
        super().__init__()
        self.mtdm, self.tam = mtdm, tam

    def forward(self, x: Tensor) -> Tensor:
        """Enhance features (N, C, T, H, W)."""
        return x + self.tam(self.mtdm(x.transpose(1, 2))).transpose(1, 2)


@MODELS.register_module()
class TCM(MotionModule):
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
        _check_options(num_segments, mid_channels, tempos, sigma, temperature)
        self.num_segments = num_segments
        self.tempos = tuple(tempo for tempo in TEMPOS if tempo in tempos)
        windows = _windows(window, self.stages)
        self.blocks = nn.ModuleDict()
        for stage, channels in self.in_channels.items():
            mtdm = MTDM(channels, mid_channels, windows[stage], self.tempos, sigma, temperature)
            tam = TAM(3 * len(self.tempos), channels, num_segments, temporal_attention)
            self.blocks[str(stage)] = TCMBlock(mtdm, tam)

    @property
    def min_frames(self) -> int:
        """2: a pair."""
        return 2

    def reach(self, stage: int) -> int:
        """Half the larger side of the window of ``stage``, in pixels."""
        return max(self.block(stage).mtdm.window) // 2

    def forward(
        self, x: Tensor, stage: int, carried: tuple[Tensor, ...] = ()
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Run the block of ``stage``; see :meth:`MotionModule.forward`. Carries nothing.

        Raises:
            InputError: As :meth:`MotionModule.block_for`.
        """
        return self.block_for(x, stage)(x), ()

    def motion(self, x: Tensor, stage: int) -> Displacements:
        """The displacements MTDM sees; see :meth:`MotionModule.motion`.

        Map ``t`` of ``'fast'`` leads from frame ``t`` to ``t + 1``, map ``t`` of ``'slow'`` from
        frame 0 to ``t + 1``. The last map repeats the one before it, as in the features. The
        confidence is the cosine of the best match, 0 to 1.
        """
        mtdm = self.block_for(x, stage).mtdm
        displacement, confidence = mtdm.track(x.transpose(1, 2))
        return Displacements(
            self.tempos, mtdm.sources(x.shape[2]), displacement.transpose(2, 3), confidence
        )


def _check_options(
    num_segments: int,
    mid_channels: int,
    tempos: Sequence[str],
    sigma: float | None,
    temperature: float,
) -> None:
    check_at_least('num_segments', num_segments, 2)
    check_at_least('mid_channels', mid_channels, 1)
    if (
        isinstance(tempos, str)
        or not tempos
        or not set(tempos) <= set(TEMPOS)
        or len(set(tempos)) < len(tempos)
    ):
        raise InputError(
            f'tempos must be a sequence of some of {TEMPOS}, none twice, got {tempos!r}'
        )
    if sigma is not None:
        check_positive('sigma', sigma)
    check_positive('temperature', temperature)


def _windows(
    window: Window | Mapping[int, Window] | None, stages: Sequence[int]
) -> dict[int, tuple[int, int]]:
    """The window of each stage."""
    if window is None:
        window = {}
    given = window if isinstance(window, Mapping) else dict.fromkeys(stages, window)
    for stage in given:
        if stage not in stages:
            raise InputError(
                f'window must name stages among the ints {list(stages)}, got {stage!r}'
            )
    windows = {**DEFAULT_WINDOWS, **given}
    for stage in stages:
        if stage not in windows:
            raise InputError(f'window has no default for stage {stage}')
    return {stage: _stage_window(windows[stage], stage) for stage in stages}


def _stage_window(window: Window, stage: int) -> tuple[int, int]:
    try:
        return window_sides(window)
    except InputError as error:
        raise InputError(f'{error} for stage {stage}') from None


def _transformation(map_channels: int, channels: int) -> nn.Sequential:
    layers = [_convolution(map_channels, map_channels, 3, groups=3) for _ in range(3)]
    layers.append(_convolution(map_channels, _TRANSFORMATION_CHANNELS[0], 1))
    for narrow, wide in pairwise((*_TRANSFORMATION_CHANNELS, channels)):
        layers.append(_convolution(narrow, narrow, 3, groups=narrow))
        layers.append(_convolution(narrow, wide, 1))
    return nn.Sequential(*layers)


def _convolution(in_channels: int, out_channels: int, kernel: int, groups: int = 1) -> ConvModule:
    """Convolution without bias, normalisation, ReLU; starts by Kaiming's rule (fan out)."""
    return ConvModule(
        in_channels,
        out_channels,
        kernel,
        padding=kernel // 2,
        groups=groups,
        norm_cfg=dict(type='BN'),
    )


def _gate_kernel(num_segments: int) -> int:
    return (num_segments.bit_length() - 1) | 1


def _mask_around(best: Tensor, volume: Tensor, window: tuple[int, int], sigma: float) -> Tensor:
    """Fade out a volume away from its best match.

    Args:
        best: Index of the centre of the Gaussian, (B, H, W).
        volume: (B, U * V, H, W).
        window: ``(U, V)``.
        sigma: In cells of the window.

    Returns:
        Tensor of the shape of ``volume``.
    """
    rows = _bell(best // window[1], window[0], sigma, volume.dtype)
    columns = _bell(best % window[1], window[1], sigma, volume.dtype)
    masked = volume.unflatten(1, window) * rows.unsqueeze(2) * columns.unsqueeze(1)
    return masked.flatten(1, 2)


def _bell(centre: Tensor, side: int, sigma: float, dtype: torch.dtype) -> Tensor:
    """Gaussian along one side of the window, (B, side, H, W), around centres (B, H, W)."""
    cells = torch.arange(side, device=centre.device, dtype=dtype).view(-1, 1, 1)
    return torch.exp(-((cells - centre.unsqueeze(1)) ** 2) / (2 * sigma**2))


def _repeat_last(maps: Tensor) -> Tensor:
    """Maps (N, M, T-1, ...) as (N, M, T, ...)."""
    return torch.cat((maps, maps[:, :, -1:]), dim=2)
