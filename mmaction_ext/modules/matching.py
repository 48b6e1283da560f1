"""Where every pixel goes: the matching of frames under MotionSqueeze and TCM.

Shape legend: N clips, C channels, T frames, H rows, W columns, M tempos, U x V window, B = N * M *
(T-1) pairs of frames.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from torch import Tensor, nn

from mmaction_ext.errors import InputError, check_at_least, check_positive
from mmaction_ext.modules.base import Displacements
from mmaction_ext.modules.frames import FrameModule
from mmaction_ext.ops import l2_normalize, pair_correlation, soft_argmax
from mmaction_ext.ops.precision import widened
from mmaction_ext.ops.window import Window, window_sides

TEMPOS = ('fast', 'slow')
#: Those of the code of TCM, which has none for the stem.
DEFAULT_WINDOWS = {1: 15, 2: 15, 3: 15, 4: 7, 5: 3}
_WIDTHS = (16, 32, 64)


class Matching(nn.Module):
    """Where every pixel goes: from each frame to the next, or from the first to every later one.

    Features of length 1 are correlated within a window; a Gaussian around the best match fades
    the others, and the expectation under a softmax is the displacement.

    Args:
        channels: ``C``, channels of the features.
        mid_channels: Channels that are correlated.
        window: Sides ``(U, V)`` of the window that a pixel is looked for in.
        tempos: ``'fast'`` (to the next) and ``'slow'`` (from the first), as the maps are ordered.
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
        check_at_least('mid_channels', mid_channels, 1)
        if sigma is not None:
            check_positive('sigma', sigma)
        check_positive('temperature', temperature)
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
        # both codes' ReLU on this is left out: products of features behind one are not negative
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


class MatchingModule(FrameModule):
    """A module whose blocks have a :class:`Matching`, ``matching``, at their front."""

    def reach(self, stage: int) -> int:
        """Half the larger side of the window of ``stage``, in pixels."""
        return max(self.block(stage).matching.window) // 2

    def motion(self, x: Tensor, stage: int) -> Displacements:
        """The displacements that the block sees; see :meth:`MotionModule.motion`.

        Map ``t`` of ``'fast'`` leads from frame ``t`` to ``t + 1``, map ``t`` of ``'slow'`` from
        frame 0 to ``t + 1``. The last map repeats the one before it, as in the features. The
        confidence is the cosine of the best match, 0 to 1.
        """
        matching = self.block_for(x, stage).matching
        displacement, confidence = matching.track(x.transpose(1, 2))
        return Displacements(
            matching.tempos, matching.sources(x.shape[2]), displacement.transpose(2, 3), confidence
        )


def stage_windows(
    window: Window | Mapping[int, Window] | None, stages: Sequence[int]
) -> dict[int, tuple[int, int]]:
    """The window of each stage, ``(U, V)``.

    Args:
        window: For all stages, or by stage, where it replaces that of ``DEFAULT_WINDOWS``.
        stages: The stages.

    Raises:
        InputError: If a window is none, or for no such stage, or a stage has none.
    """
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


def widening_layers(map_channels: int, channels: int) -> list[ConvModule]:
    """The separable convolutions that make features of maps, 3 x 3 pixels each.

    Args:
        map_channels: Channels of the maps.
        channels: Channels of the features, reached over 16, 32 and 64.
    """
    layers = [convolution(map_channels, _WIDTHS[0], 1)]
    for narrow, wide in pairwise((*_WIDTHS, channels)):
        layers.append(convolution(narrow, narrow, 3, groups=narrow))
        layers.append(convolution(narrow, wide, 1))
    return layers


def convolution(in_channels: int, out_channels: int, kernel: int, groups: int = 1) -> ConvModule:
    """Convolution without bias, normalisation, ReLU; starts by Kaiming's rule (fan out)."""
    return ConvModule(
        in_channels,
        out_channels,
        kernel,
        padding=kernel // 2,
        groups=groups,
        norm_cfg=dict(type='BN'),
    )


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
