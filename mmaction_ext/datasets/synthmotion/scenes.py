"""Scenes of SynthMotion: what moves where, and how it looks, in plain numpy.

Twelve classes form six time-reversal pairs, sixteen and eight in the harder preset: a clip of
class ``2k + 1`` is the exact frame reversal of a clip of class ``2k``. Both hold the same bag of
frames, hence no model that ignores the order of frames can tell the two classes of a pair apart.

Every scene has an actor, a second object and at most a few others, which stand still or go
there and back, in front of noise, seen by a shaking camera; the actor rests, moves at constant
speed and rests again. Camera shake and gain are drawn from distributions that look the same
backwards.

The frames depend on nothing but the arguments: only ``Generator.random`` is drawn from,
geometry is rounded to ``1 / 1024`` before rasterising, and rasterising uses only operations
that IEEE 754 rounds exactly (no sine, no exponential, no sum over an axis).

Shapes: ``T`` frames, ``H`` rows, ``W`` columns; lengths in pixels, colours in [0, 1].
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

CLASSES = (
    'moving from left to right',
    'moving from right to left',
    'moving down',
    'moving up',
    'moving closer to the camera',
    'moving away from the camera',
    'turning clockwise',
    'turning counterclockwise',
    'two things moving closer to each other',
    'two things moving away from each other',
    'covering something',
    'uncovering something',
    'turning right at a corner',
    'turning left at a corner',
    'two things circling each other clockwise',
    'two things circling each other counterclockwise',
)
"""Class names by label; label ``2k + 1`` is the time reversal of label ``2k``."""

PAIRS = (
    'horizontal',
    'vertical',
    'depth',
    'turning',
    'distance',
    'cover',
    'corner',
    'circling',
)
"""Names of the reversal pairs; pair ``k`` holds the labels ``2k`` and ``2k + 1``."""

FLIP_LABELS = MappingProxyType({0: 1, 1: 0, 6: 7, 7: 6, 12: 13, 13: 12, 14: 15, 15: 14})
"""Labels that a left-right mirroring exchanges; all others stay."""

SPLITS = ('train', 'val', 'test')
SIZES = ('small', 'medium', 'large')
SPEEDS = ('slow', 'fast')

FRAME_SIZE = 80
NUM_FRAMES = 24
FPS = 12

BAR_SPACING = 20
"""Pixels from one bar to the next."""

_CENTRE = FRAME_SIZE / 2
_GRID = 1024.0
_SHAPES = ('disk', 'square', 'triangle', 'bar')
_PATTERNS = ('half', 'wedge', 'dot')
# Hues by their share of red, green and blue; scaled to the wanted brightness when used.
_HUES = (
    (1.0, 0.25, 0.2),
    (1.0, 0.55, 0.1),
    (0.85, 0.8, 0.1),
    (0.2, 0.85, 0.25),
    (0.1, 0.75, 0.85),
    (0.25, 0.4, 1.0),
    (0.6, 0.3, 1.0),
    (1.0, 0.3, 0.75),
)
_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Preset:
    """Ranges a scene is drawn from.

    Attributes:
        radii: Size bucket -> smallest and largest radius of the actor, pixels.
        moving_frames: Speed bucket -> fewest and most frame steps the motion takes.
        travel: Shortest and longest way of a moving object, pixels.
        turn: Smallest and largest angle of a turn, degrees.
        zoom: Smallest and largest ratio of the radii before and after a move in depth.
        shake: Largest amplitude of each of the two sines that move the camera along an
            axis, pixels.
        gain: Largest relative change of brightness from frame to frame.
        noise: Amplitudes of the coarse and of the fine background noise.
        max_clutter: Largest number of objects beside the two named ones, at most 6.
        min_clutter: Smallest number of them.
        roam: How far each of them goes, pixels: there and back once in every clip, which is the
            same backwards; zero for ones that stand still.
        bars: Width of the upright grey bars in front of everything, pixels; they stand
            :data:`BAR_SPACING` apart, and neither move nor shake.
        blur: Standard deviation of the blur of all frames, pixels.
        pairs: Which of ``PAIRS`` there are.
        start_every: The motion starts with the middle one of so many frames: with 3, in 24
            frames of which 8 are sampled, with a sampled one.
    """

    radii: Mapping[str, tuple[float, float]]
    moving_frames: Mapping[str, tuple[int, int]]
    travel: tuple[float, float] = (18.0, 40.0)
    turn: tuple[float, float] = (90.0, 160.0)
    zoom: tuple[float, float] = (1.8, 2.6)
    shake: float = 0.35
    gain: float = 0.03
    noise: tuple[float, float] = (0.06, 0.03)
    max_clutter: int = 1
    min_clutter: int = 0
    roam: float = 0.0
    bars: int = 0
    blur: int = 0
    pairs: tuple[str, ...] = PAIRS[:6]
    start_every: int = 1


def _each(buckets: Sequence[str], low: Any, high: Any) -> Mapping[str, Any]:
    """One range for all buckets."""
    return MappingProxyType(dict.fromkeys(buckets, (low, high)))


_DEFAULT = Preset(
    radii=MappingProxyType({'small': (5.0, 7.0), 'medium': (8.0, 10.0), 'large': (11.0, 14.0)}),
    moving_frames=MappingProxyType({'slow': (15, 23), 'fast': (6, 9)}),
)
#: ``displacement_8``: 38 pixels in 14 frame steps are 8 from one of 8 sampled frames to the next,
#: three frames later
_PACES = {5: 23, 8: 14, 16: 7, 23: 5, 38: 3}

STRESS = MappingProxyType(
    {
        'size': {
            str(radius): replace(_DEFAULT, radii=_each(SIZES, radius, radius))
            for radius in (3, 4, 6, 9, 13)
        },
        'displacement': {
            str(pixels): replace(
                _DEFAULT,
                travel=(38.0, 38.0),
                moving_frames=_each(SPEEDS, steps, steps),
                pairs=PAIRS[:2],
                start_every=3 if steps == 3 else 1,  # or two samples would share the way
            )
            for pixels, steps in _PACES.items()
        },
        'clutter': {
            str(number): replace(_DEFAULT, min_clutter=number, max_clutter=number)
            for number in (0, 1, 2, 4, 6)
        },
        'movers': {
            str(number): replace(_DEFAULT, min_clutter=number, max_clutter=number, roam=20.0)
            for number in (1, 2, 4, 6)
        },
        'camera': {
            str(amplitude): replace(_DEFAULT, shake=float(amplitude))
            for amplitude in (0, 1, 2, 4, 8)
        },
        'occlusion': {str(width): replace(_DEFAULT, bars=width) for width in (0, 4, 8, 12, 16)},
        'blur': {str(sigma): replace(_DEFAULT, blur=sigma) for sigma in (0, 1, 2, 3, 4)},
    }
)
"""Axis -> level -> the default in all but this: radius of the actor in pixels, pixels that a thing
which moves 38 sideways, up or down goes from one of 8 sampled frames to the next, number of
objects that mean nothing, standing still or going there and back, ``shake``, ``bars`` and
``blur``."""

PRESETS = MappingProxyType(
    {
        'default': _DEFAULT,
        'hard': replace(
            _DEFAULT,
            radii=MappingProxyType(
                {'small': (3.0, 4.5), 'medium': (5.0, 7.0), 'large': (8.0, 11.0)}
            ),
            shake=2.0,
            noise=(0.12, 0.05),
            max_clutter=4,
            min_clutter=1,
            roam=10.0,
            pairs=PAIRS,
        ),
        **{
            speed: replace(_DEFAULT, moving_frames=_each(SPEEDS, *_DEFAULT.moving_frames[speed]))
            for speed in SPEEDS
        },
        **{
            f'{axis}_{level}': preset
            for axis, levels in STRESS.items()
            for level, preset in levels.items()
        },
    }
)
"""Named presets; ``'default'`` is the one a thin network learns in minutes, ``'hard'`` has smaller
things before a stronger background, more others, which move, a camera that shakes more, and two
more pairs, ``'slow'`` and ``'fast'`` are of one speed, whatever the bucket is called."""


@dataclass(frozen=True, eq=False)
class Body:
    """One rigid, two-coloured object and where it is in each frame.

    Attributes:
        shape: Outline: ``'disk'``, ``'square'``, ``'triangle'`` or ``'bar'``.
        pattern: Where the second colour lies: ``'half'``, ``'wedge'`` or ``'dot'``.
        colour: First colour, three numbers in [0, 1].
        accent: Second colour, three numbers in [0, 1].
        track: Array (T, 4) of row, column and radius in pixels and angle in radians
            (clockwise on the screen), each a multiple of 1/1024.
    """

    shape: str
    pattern: str
    colour: tuple[float, float, float]
    accent: tuple[float, float, float]
    track: np.ndarray


@dataclass(frozen=True, eq=False)
class Scene:
    """Everything needed to render one base clip (the forward direction).

    Attributes:
        split: One of ``SPLITS``.
        index: Number of the base clip within its split.
        pair: One of ``PAIRS``.
        size: One of ``SIZES``, the size of the actor.
        speed: One of ``SPEEDS``.
        onset: First frame from which the motion starts.
        duration: Number of frame steps the motion takes.
        bodies: Objects from back to front.
        background: Array (H + 2 * M, W + 2 * M, 3) in [0, 1], wider than the camera shakes: 2
            pixels or more on each side.
        shake: Array (T, 2) of the camera's row and column offsets, pixels.
        gain: Array (T,) of brightness factors.
        bars, blur: As of :class:`Preset`.
    """

    split: str
    index: int
    pair: str
    size: str
    speed: str
    onset: int
    duration: int
    bodies: tuple[Body, ...]
    background: np.ndarray
    shake: np.ndarray
    gain: np.ndarray
    bars: int = 0
    blur: int = 0

    @property
    def labels(self) -> tuple[int, int]:
        """Labels of the clip and of its time reversal."""
        return pair_labels(self.pair)


class _Draw:
    """Random draws made of ``Generator.random`` alone, whose stream is stable."""

    def __init__(self, seed: int, split: str, index: int) -> None:
        sequence = np.random.SeedSequence([seed, SPLITS.index(split), index])
        self._random = np.random.Generator(np.random.PCG64(sequence)).random

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * float(self._random())

    def integer(self, low: int, high: int) -> int:
        return low + int(float(self._random()) * (high - low + 1))

    def choose(self, items: Sequence[Any]) -> Any:
        return items[self.integer(0, len(items) - 1)]

    def noise(self, *shape: int) -> np.ndarray:
        return 2.0 * self._random(shape) - 1.0


def pair_labels(pair: str) -> tuple[int, int]:
    """Labels of the forward and of the reversed clip of a pair, one of ``PAIRS``."""
    first = 2 * PAIRS.index(pair)
    return first, first + 1


def num_classes(preset: str = 'default') -> int:
    """Number of classes of a data set of a preset, the first of ``CLASSES``.

    Those of the default are classes of every preset, whether it has clips of them or not.
    """
    pairs = {*_DEFAULT.pairs, *PRESETS[preset].pairs}
    return 2 * (1 + max(map(PAIRS.index, pairs)))


def buckets(index: int, preset: str = 'default') -> tuple[str, str, str]:
    """Pair, size and speed of a base clip.

    They take turns, so that every stretch of 36 clips, 48 for eight pairs, holds each
    combination once.

    Args:
        index: Number of the base clip within its split.
        preset: A key of ``PRESETS``.

    Returns:
        One each of ``PAIRS``, ``SIZES`` and ``SPEEDS``.
    """
    pairs = PRESETS[preset].pairs
    return (
        pairs[index % len(pairs)],
        SIZES[index // len(pairs) % len(SIZES)],
        SPEEDS[index // (len(pairs) * len(SIZES)) % len(SPEEDS)],
    )


def sample_scene(seed: int, split: str, index: int, preset: str = 'default') -> Scene:
    """Draw the scene of one base clip.

    Args:
        seed: Seed of the data set, not negative.
        split: One of ``SPLITS``; splits share no scene.
        index: Number of the base clip within its split, not negative.
        preset: A key of ``PRESETS``.

    Returns:
        The scene; the same arguments give the same scene on every machine.

    Raises:
        ValueError: If an argument is out of range.
    """
    _check_arguments(seed, split, index, preset)
    ranges, draw = PRESETS[preset], _Draw(seed, split, index)
    pair, size, speed = buckets(index, preset)
    duration = draw.integer(*ranges.moving_frames[speed])
    every = ranges.start_every
    onset = every // 2 + every * draw.integer(0, (NUM_FRAMES - 1 - duration - every // 2) // every)
    progress = np.clip((np.arange(NUM_FRAMES) - onset) / duration, 0.0, 1.0)
    radius = draw.uniform(*ranges.radii[size])
    ways = _WAYS[pair](draw, radius, ranges)
    clutter = draw.integer(ranges.min_clutter, ranges.max_clutter)
    others = _place_clutter(draw, ways, clutter, ranges.roam)
    level, looks = _draw_looks(draw, len(ways + others))
    tracks = [_track(way, progress) for way in ways]
    tracks += [_track(way, _THERE_AND_BACK) for way in others]
    bodies = tuple(Body(*look, track) for look, track in zip(looks, tracks, strict=True))
    return Scene(
        split=split,
        index=index,
        pair=pair,
        size=size,
        speed=speed,
        onset=onset,
        duration=duration,
        bodies=bodies[::-1],
        background=_draw_background(draw, level, ranges),
        shake=_draw_shake(draw, ranges.shake),
        gain=_quantise(1.0 + ranges.gain * draw.noise(NUM_FRAMES)),
        bars=ranges.bars,
        blur=ranges.blur,
    )


def _check_arguments(seed: int, split: str, index: int, preset: str) -> None:
    if seed < 0:
        raise ValueError(f'seed must not be negative, got {seed}')
    if split not in SPLITS:
        raise ValueError(f'unknown split {split!r}, expected one of {", ".join(SPLITS)}')
    if index < 0:
        raise ValueError(f'index must not be negative, got {index}')
    if preset not in PRESETS:
        raise ValueError(f'unknown preset {preset!r}, expected one of {", ".join(PRESETS)}')


def _quantise(values: Any) -> np.ndarray:
    return np.round(np.asarray(values, dtype=np.float64) * _GRID) / _GRID


# --- Where things are -----------------------------------------------------------------
# A state is (row, column, radius, angle); a way leads straight from state to state, each stretch
# in the same time. Each function of a pair returns the ways of actor and second object.

_State = tuple[float, float, float, float]
_Way = tuple[_State, ...]
_TIMES = np.arange(NUM_FRAMES)
_THERE_AND_BACK = np.minimum(_TIMES, _TIMES[::-1]) / _TIMES.mean()
_CHORDS = 16  # of the arc of things that circle each other


def _track(way: _Way, progress: np.ndarray) -> np.ndarray:
    states, along = np.asarray(way), progress * (len(way) - 1)
    passed = np.clip(along.astype(int), 0, len(way) - 2)
    start, end = states[passed], states[passed + 1]
    return _quantise(start + (along - passed)[:, None] * (end - start))


def _clearance(place: tuple[float, float], radius: float, way: _Way) -> float:
    """Gap in pixels between a disk at rest and the way of another one."""
    return min(_gap(place, radius, *stretch) for stretch in itertools.pairwise(way))


def _gap(place: tuple[float, float], radius: float, before: _State, after: _State) -> float:
    (row0, column0, radius0, _), (row1, column1, radius1, _) = before, after
    rows, columns = row1 - row0, column1 - column0
    length = rows * rows + columns * columns
    along = (place[0] - row0) * rows + (place[1] - column0) * columns
    share = min(max(along / length, 0.0), 1.0) if length else 0.0
    gap = math.hypot(place[0] - row0 - share * rows, place[1] - column0 - share * columns)
    return gap - radius - max(radius0, radius1)


def _place_clear(draw: _Draw, radius: float, others: Sequence[_Way]) -> _Way:
    """Way of a resting object, away from the ways of all others where possible."""
    tries = [(draw.uniform(14.0, 66.0), draw.uniform(14.0, 66.0)) for _ in range(32)]
    gaps = [min(_clearance(place, radius, way) for way in others) for place in tries]
    free = [place for place, gap in zip(tries, gaps, strict=True) if gap >= 3.0]
    row, column = free[0] if free else tries[gaps.index(max(gaps))]
    state = (row, column, radius, draw.uniform(-math.pi, math.pi))
    return state, state


def _place_clutter(draw: _Draw, ways: Sequence[_Way], number: int, roam: float) -> list[_Way]:
    placed = list(ways)
    for _ in range(number):
        here, there = _place_clear(draw, draw.uniform(3.0, 6.0), placed)
        if roam:  # roughly towards the middle, so that it stays in the picture
            heading = math.atan2(_CENTRE - here[0], _CENTRE - here[1]) + draw.uniform(-1.0, 1.0)
            rows, columns = roam * math.sin(heading), roam * math.cos(heading)
            there = (here[0] + rows, here[1] + columns, *here[2:])
        placed.append((here, there))
    return placed[len(ways) :]


def _second_radius(draw: _Draw, radius: float) -> float:
    return radius * draw.uniform(0.65, 0.85)


def _actor_alone(draw: _Draw, radius: float, *actor: _State) -> list[_Way]:
    return [actor, _place_clear(draw, _second_radius(draw, radius), [actor])]


def _straight_ends(draw: _Draw, radius: float, ranges: Preset) -> tuple[float, ...]:
    travel = draw.uniform(*ranges.travel)
    middle = _CENTRE + draw.uniform(-1.0, 1.0) * (26.0 - travel / 2)
    across, angle = draw.uniform(20.0, 60.0), draw.uniform(-math.pi, math.pi)
    return middle - travel / 2, middle + travel / 2, across, angle


def _horizontal_ways(draw: _Draw, radius: float, ranges: Preset) -> list[_Way]:
    start, stop, row, angle = _straight_ends(draw, radius, ranges)
    return _actor_alone(draw, radius, (row, start, radius, angle), (row, stop, radius, angle))


def _vertical_ways(draw: _Draw, radius: float, ranges: Preset) -> list[_Way]:
    start, stop, column, angle = _straight_ends(draw, radius, ranges)
    return _actor_alone(
        draw, radius, (start, column, radius, angle), (stop, column, radius, angle)
    )


def _depth_ways(draw: _Draw, radius: float, ranges: Preset) -> list[_Way]:
    row, column = draw.uniform(24.0, 56.0), draw.uniform(24.0, 56.0)
    angle, zoom = draw.uniform(-math.pi, math.pi), math.sqrt(draw.uniform(*ranges.zoom))
    return _actor_alone(
        draw, radius, (row, column, radius / zoom, angle), (row, column, radius * zoom, angle)
    )


def _turning_ways(draw: _Draw, radius: float, ranges: Preset) -> list[_Way]:
    row, column = draw.uniform(20.0, 60.0), draw.uniform(20.0, 60.0)
    angle, turn = draw.uniform(-math.pi, math.pi), math.radians(draw.uniform(*ranges.turn))
    return _actor_alone(
        draw, radius, (row, column, radius, angle), (row, column, radius, angle + turn)
    )


def _distance_ways(draw: _Draw, radius: float, ranges: Preset) -> list[_Way]:
    radii = (radius, _second_radius(draw, radius))
    near = sum(radii) + 2.0
    far = near + min(draw.uniform(*ranges.travel), 52.0 - near)
    row, column = draw.uniform(36.0, 44.0), draw.uniform(36.0, 44.0)
    heading = draw.uniform(-math.pi, math.pi)
    ways: list[_Way] = []
    for side, size in zip((-0.5, 0.5), radii, strict=True):
        rows, columns = side * math.sin(heading), side * math.cos(heading)
        angle = draw.uniform(-math.pi, math.pi)
        ways.append(
            (
                (row + far * rows, column + far * columns, size, angle),
                (row + near * rows, column + near * columns, size, angle),
            )
        )
    return ways


def _cover_ways(draw: _Draw, radius: float, ranges: Preset) -> list[_Way]:
    second = _second_radius(draw, radius)
    shortest, longest = ranges.travel
    travel = max(draw.uniform(shortest, longest), radius + second + 2.0)
    heading = draw.uniform(-math.pi, math.pi)
    rows, columns = math.sin(heading), math.cos(heading)
    room = max(24.0 - travel / 2, 0.0)
    row, column = (
        _CENTRE + way * travel / 2 + draw.uniform(-room, room) for way in (rows, columns)
    )
    angle, still = draw.uniform(-math.pi, math.pi), draw.uniform(-math.pi, math.pi)
    return [
        (
            (row - travel * rows, column - travel * columns, radius, angle),
            (row, column, radius, angle),
        ),
        ((row, column, second, still), (row, column, second, still)),
    ]


def _corner_ways(draw: _Draw, radius: float, ranges: Preset) -> list[_Way]:
    leg = draw.uniform(*ranges.travel) / 2
    row, column = draw.uniform(28.0, 52.0), draw.uniform(28.0, 52.0)
    heading, angle = draw.uniform(-math.pi, math.pi), draw.uniform(-math.pi, math.pi)
    rows, columns = leg * math.sin(heading), leg * math.cos(heading)
    return _actor_alone(
        draw,
        radius,
        (row - rows, column - columns, radius, angle),
        (row, column, radius, angle),
        (row + columns, column - rows, radius, angle),
    )


def _circling_ways(draw: _Draw, radius: float, ranges: Preset) -> list[_Way]:
    radii = (radius, _second_radius(draw, radius))
    apart = (sum(radii) + draw.uniform(4.0, 12.0)) / 2
    row, column = draw.uniform(36.0, 44.0), draw.uniform(36.0, 44.0)
    heading, turn = draw.uniform(-math.pi, math.pi), math.radians(draw.uniform(*ranges.turn))
    ways: list[_Way] = []
    for side, size in zip((-apart, apart), radii, strict=True):
        angle = draw.uniform(-math.pi, math.pi)
        headings = (heading + turn * step / _CHORDS for step in range(_CHORDS + 1))
        ways.append(
            tuple(
                (row + side * math.sin(each), column + side * math.cos(each), size, angle)
                for each in headings
            )
        )
    return ways


_WAYS = MappingProxyType(
    dict(
        zip(
            PAIRS,
            (
                _horizontal_ways,
                _vertical_ways,
                _depth_ways,
                _turning_ways,
                _distance_ways,
                _cover_ways,
                _corner_ways,
                _circling_ways,
            ),
            strict=True,
        )
    )
)


# --- How things look ------------------------------------------------------------------


def _tone(hue: Sequence[float], luma: float) -> tuple[float, ...]:
    """The hue at a given brightness, by scaling and, where that clips, adding white."""
    own = sum(weight * share for weight, share in zip(_LUMA, hue, strict=True))
    if luma <= own:
        return tuple(share * luma / own for share in hue)
    white = (luma - own) / (1.0 - own)
    return tuple(share + white * (1.0 - share) for share in hue)


def _draw_looks(draw: _Draw, number: int) -> tuple[float, list[tuple[str, str, Any, Any]]]:
    """Brightness of the background and, per object, shape, pattern and two colours."""
    dark = draw.uniform(0.0, 1.0) < 0.5
    level = draw.uniform(0.15, 0.25) if dark else draw.uniform(0.75, 0.85)
    hues = list(_HUES)
    looks: list[tuple[str, str, Any, Any]] = []
    for _ in range(number):
        hue = hues.pop(draw.integer(0, len(hues) - 1))
        luma = draw.uniform(0.5, 0.6) if dark else draw.uniform(0.35, 0.45)
        looks.append(
            (
                draw.choose(_SHAPES),
                draw.choose(_PATTERNS),
                _tone(hue, luma),
                _tone(hue, 0.92 if dark else 0.08),
            )
        )
    return level, looks


def _enlarge(grid: np.ndarray, factor: int) -> np.ndarray:
    """Bilinear enlargement of (h, w, C) to ((h - 1) * factor, (w - 1) * factor, C)."""
    share = ((np.arange(factor) + 0.5) / factor)[:, None, None, None]
    rows = (grid[:-1] * (1.0 - share) + grid[1:] * share).swapaxes(0, 1)
    rows = rows.reshape(-1, *grid.shape[1:]).swapaxes(0, 1)
    both = (rows[:-1] * (1.0 - share) + rows[1:] * share).swapaxes(0, 1)
    return both.reshape(-1, *rows.shape[1:]).swapaxes(0, 1)


def _draw_background(draw: _Draw, level: float, ranges: Preset) -> np.ndarray:
    side = FRAME_SIZE + 2 * max(2, math.floor(2.0 * ranges.shake) + 1)
    cells, (broad, fine) = -(-side // 7), ranges.noise
    coarse = _enlarge(draw.noise(cells + 1, cells + 1, 3), 7)[:side, :side]
    return level + broad * coarse + fine * draw.noise(side, side, 1)


def _draw_shake(draw: _Draw, amplitude: float) -> np.ndarray:
    time = 2.0 * math.pi * np.arange(NUM_FRAMES) / NUM_FRAMES
    axes = []
    for _ in ('row', 'column'):
        sines = (
            draw.uniform(0.0, amplitude)
            * np.sin(draw.uniform(0.5, 2.5) * time + draw.uniform(0.0, 2.0 * math.pi))
            for _ in range(2)
        )
        axes.append(sum(sines))
    return _quantise(np.stack(axes, axis=1))


# --- Rasterising ----------------------------------------------------------------------


def render(scene: Scene) -> np.ndarray:
    """Render the frames of a scene.

    Args:
        scene: From :func:`sample_scene`.

    Returns:
        Array (T, H, W, 3) of uint8, RGB, ``T = 24`` and ``H = W = 80``. The clip of the
        pair's second class is this array with the first axis reversed.
    """
    frames = np.stack([_shift(scene.background, *offset) for offset in scene.shake])
    for body in scene.bodies:
        _paint(frames, body, scene.shake)
    frames *= scene.gain[:, None, None, None]
    frames[:, :, np.arange(FRAME_SIZE) % BAR_SPACING < scene.bars] = 0.5
    frames = _blur(np.clip(frames, 0.0, 1.0), scene.blur)
    return np.floor(frames * 255.0 + 0.5).astype(np.uint8)


def _shift(image: np.ndarray, rows: float, columns: float) -> np.ndarray:
    """Bilinear cut-out (H, W, 3) of (H + 2 * M, W + 2 * M, 3), moved by less than M pixels."""
    margin = (len(image) - FRAME_SIZE) / 2
    row, column = math.floor(margin - rows), math.floor(margin - columns)
    down, right = margin - rows - row, margin - columns - column
    strip = image[row : row + FRAME_SIZE + 1, column : column + FRAME_SIZE + 1]
    strip = strip[:-1] * (1.0 - down) + strip[1:] * down
    return strip[:, :-1] * (1.0 - right) + strip[:, 1:] * right


def _blur(frames: np.ndarray, sigma: int) -> np.ndarray:
    """Blur (T, H, W, 3) frames, whose edges repeat.

    Each pass of (1, 2, 1) / 4 adds 1/2 to the variance.
    """
    for _ in range(2 * sigma * sigma):
        for axis in (1, 2):
            padded = np.pad(frames, [(int(each == axis),) * 2 for each in range(4)], mode='edge')
            first, middle, last = (
                padded.take(range(start, start + FRAME_SIZE), axis) for start in range(3)
            )
            frames = (first + 2.0 * middle + last) * 0.25
    return frames


def _paint(frames: np.ndarray, body: Body, shake: np.ndarray) -> None:
    """Blend one object into (T, H, W, 3) frames, in place."""
    row, column, radius, angle = (part[:, None, None] for part in body.track.T)
    row, column = row + shake[:, 0, None, None], column + shake[:, 1, None, None]
    reach = 1.3 * radius + 2.0
    rows, columns = _span(row, reach), _span(column, reach)
    down = np.arange(rows.start, rows.stop)[None, :, None] - row
    right = np.arange(columns.start, columns.stop)[None, None, :] - column
    cosine, sine = _quantise(np.cos(angle)), _quantise(np.sin(angle))
    # Pixels in the object's own axes, (T, rows, columns) each.
    own_x, own_y = cosine * right + sine * down, cosine * down - sine * right
    inside = np.clip(_OUTLINES[body.shape](own_x, own_y, radius) + 0.5, 0.0, 1.0)[..., None]
    second = np.clip(_ACCENTS[body.pattern](own_x, own_y, radius) + 0.5, 0.0, 1.0)[..., None]
    colour = np.array(body.colour) * (1.0 - second) + np.array(body.accent) * second
    window = frames[:, rows, columns]
    window += inside * (colour - window)


def _span(centre: np.ndarray, reach: np.ndarray) -> slice:
    """Pixels from the first to the last that a moving object can touch."""
    first, last = np.floor((centre - reach).min()), np.ceil((centre + reach).max())
    return slice(max(int(first), 0), min(int(last) + 1, FRAME_SIZE))


# Outlines and patterns: depth inside the region in pixels, negative outside of it.


def _disk(x: np.ndarray, y: np.ndarray, radius: np.ndarray) -> np.ndarray:
    return radius - np.sqrt(x * x + y * y)


def _square(x: np.ndarray, y: np.ndarray, radius: np.ndarray) -> np.ndarray:
    return 0.85 * radius - np.maximum(np.abs(x), np.abs(y))


def _triangle(x: np.ndarray, y: np.ndarray, radius: np.ndarray) -> np.ndarray:
    slant = 0.5 * x + 0.8660254 * np.abs(y)
    return 0.6 * radius - np.maximum(slant, -x)


def _bar(x: np.ndarray, y: np.ndarray, radius: np.ndarray) -> np.ndarray:
    return np.minimum(1.1 * radius - np.abs(x), 0.6 * radius - np.abs(y))


def _half(x: np.ndarray, y: np.ndarray, radius: np.ndarray) -> np.ndarray:
    return x - 0.1 * radius


def _wedge(x: np.ndarray, y: np.ndarray, radius: np.ndarray) -> np.ndarray:
    return np.minimum(x + 0.2 * radius, y + 0.1 * radius)


def _dot(x: np.ndarray, y: np.ndarray, radius: np.ndarray) -> np.ndarray:
    return _disk(x - 0.35 * radius, y, 0.4 * radius)


_OUTLINES: dict[str, Any] = {'disk': _disk, 'square': _square, 'triangle': _triangle, 'bar': _bar}
_ACCENTS: dict[str, Any] = {'half': _half, 'wedge': _wedge, 'dot': _dot}
