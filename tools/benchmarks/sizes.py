"""The sizes that operators are measured at: one table for every benchmark.

Features behind the reduction of DCF on X3D-S (13 frames) and on ResNet-50 (8 frames), 8 clips, at
three stages of each; SELFY's and TCM's blocks after res3 of ResNet-50, SELFY's at half that
resolution also; KPSEM's channels on MFNet.
"""

from typing import NamedTuple


class CorrelationSize(NamedTuple):
    """A ``local_correlation``.

    Attributes:
        name: host and side of the map in pixels, for DCF with the range ``L``.
        shape: features (N, C, T, H, W).
        offsets: frames between the two pixels.
        dilations: pixels between neighbouring displacements, one per offset.
        window: side of the window.
    """

    name: str
    shape: tuple[int, int, int, int, int]
    offsets: tuple[int, ...]
    dilations: tuple[int, ...]
    window: int

    def tiny(self) -> 'CorrelationSize':
        """The same at a size for tests: odd sides, frames enough for every offset."""
        return self._replace(shape=(2, 3, 3, 6, 5), window=min(self.window, 5))


class PairSize(NamedTuple):
    """A ``pair_correlation``.

    Attributes:
        name: module and side of the map in pixels.
        shape: maps (B, C, H, W).
        dilation: pixels between neighbouring displacements.
        window: side of the window.
    """

    name: str
    shape: tuple[int, int, int, int]
    dilation: int
    window: int

    def tiny(self) -> 'PairSize':
        """The same at a size for tests."""
        return self._replace(shape=(3, 3, 7, 5), window=min(self.window, 5))


class RegionsSize(NamedTuple):
    """A ``regional_key_points`` and ``regional_mean``.

    Attributes:
        name: regions of a map, and whether the cuts are one for all frames.
        shape: features (N, C, T, H, W).
        num_sets: ``G``, sets of regions.
        num_regions: ``K``, regions of a set.
        per_frame: whether each frame is cut by itself.
    """

    name: str
    shape: tuple[int, int, int, int, int]
    num_sets: int
    num_regions: int
    per_frame: bool

    def tiny(self) -> 'RegionsSize':
        """The same at a size for tests."""
        return self._replace(shape=(2, 3, 2, 7, 5), num_sets=2)


def _dcf(host: str, side: int, channels: int, frames: int, reach: int) -> CorrelationSize:
    """DCF with a temporal range, its dilation growing with the step."""
    offsets = tuple(tau for tau in range(-reach, reach + 1) if tau)
    shape = (8, channels, frames, side, side)
    return CorrelationSize(f'{host}_{side}_L{reach}', shape, offsets, tuple(map(abs, offsets)), 5)


LOCAL = (
    *[
        _dcf('x3d', *stage, 13, reach)
        for reach in (1, 2)
        for stage in ((10, 48), (20, 24), (40, 12))
    ],
    *[
        _dcf('r50', *stage, 8, reach)
        for reach in (1, 2)
        for stage in ((14, 256), (28, 128), (56, 64))
    ],
    *[
        CorrelationSize(f'selfy_{side}', (8, 128, 8, side, side), (-2, -1, 0, 1, 2), (1,) * 5, 9)
        for side in (14, 28)
    ],
)
#: 8 clips, 7 pairs of frames at each of two tempos
PAIR = (PairSize('tcm_28', (112, 64, 28, 28), 1, 15),)
REGIONS = tuple(
    RegionsSize(f'k{number}_{cuts}', (8, 384, 8, 14, 14), 8, number, cuts == 'per_frame')
    for number in (4, 9, 16)
    for cuts in ('static', 'per_frame')
)
