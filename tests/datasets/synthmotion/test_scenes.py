import hashlib
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from mmaction_ext.datasets.synthmotion.scenes import (
    CLASSES,
    FLIP_LABELS,
    NUM_FRAMES,
    PAIRS,
    PRESETS,
    SIZES,
    SPEEDS,
    SPLITS,
    STRESS,
    buckets,
    num_classes,
    pair_labels,
    render,
    sample_scene,
)

any_scene = st.builds(
    sample_scene, st.integers(0, 2**32), st.sampled_from(SPLITS), st.integers(0, 10**6)
)
any_hard_scene = st.builds(
    sample_scene,
    st.integers(0, 2**32),
    st.sampled_from(SPLITS),
    st.integers(0, 10**6),
    st.just('hard'),
)


def first_scene(pair, seed=0, split='train', start=0):
    index = next(i for i in range(start, start + 6) if buckets(i)[0] == pair)
    return sample_scene(seed, split, index)


def moves(body):
    return np.ptp(body.track, axis=0)


def actor(scene):
    return scene.bodies[-1]


def test_twelve_classes_in_six_pairs_and_sixteen_in_the_harder_preset():
    assert len(CLASSES) == len(set(CLASSES)) == 16
    assert [pair_labels(pair) for pair in PAIRS] == [(2 * k, 2 * k + 1) for k in range(8)]
    counts = {preset: num_classes(preset) for preset in PRESETS}
    assert counts.pop('hard') == 16 and set(counts.values()) == {12}


@pytest.mark.parametrize('preset, pairs', [('default', 6), ('hard', 8)])
def test_clips_in_a_row_hold_every_combination_once(preset, pairs):
    counts = Counter(buckets(index, preset) for index in range(7, 7 + pairs * 3 * 2))
    assert set(counts.values()) == {1} and len(counts) == pairs * 3 * 2
    assert {pair for pair, *_ in counts} == {*PAIRS[:pairs]}


@given(any_scene)
@settings(max_examples=60, deadline=None)
def test_scene_lies_in_its_ranges(scene):
    preset, track = PRESETS['default'], actor(scene).track
    low, high = preset.radii[scene.size]
    radius = np.sqrt(track[0, 2] * track[-1, 2])  # geometric mean: a move in depth keeps it
    assert low - 1e-2 <= radius <= high + 1e-2
    low, high = preset.moving_frames[scene.speed]
    steps = (np.abs(np.diff(track, axis=0)).max(axis=1) > 0).nonzero()[0]
    assert low <= scene.duration <= high and scene.onset >= 0
    assert steps[0] == scene.onset and steps[-1] == scene.onset + scene.duration - 1
    assert np.array_equal(track * 1024, np.round(track * 1024))
    assert np.abs(scene.shake).max() < 1.0


@given(any_scene)
@settings(max_examples=60, deadline=None)
def test_what_moves_is_what_the_class_says(scene):
    movers = [body for body in scene.bodies if moves(body).any()]
    assert len(movers) == (2 if scene.pair == 'distance' else 1)
    rows, columns, radius, angle = actor(scene).track[-1] - actor(scene).track[0]
    if scene.pair == 'horizontal':
        assert 17.9 < columns < 40.1 and rows == radius == angle == 0
    elif scene.pair == 'vertical':
        assert 17.9 < rows < 40.1 and columns == radius == angle == 0
    elif scene.pair == 'depth':
        assert radius > 0 and rows == columns == angle == 0
    elif scene.pair == 'turning':
        assert 1.5 < angle < 2.9 and rows == columns == radius == 0
    else:
        other = scene.bodies[-2]
        gaps = np.hypot(*(actor(scene).track[:, :2] - other.track[:, :2]).T)
        assert gaps[0] - gaps[-1] > 17.9 and (np.diff(gaps) < 1e-2).all()
        touching = actor(scene).track[0, 2] + other.track[0, 2]
        assert gaps[0] > touching
        assert gaps[-1] > touching if scene.pair == 'distance' else gaps[-1] == 0


@given(any_scene)
@settings(max_examples=40, deadline=None)
def test_moving_things_stay_in_the_picture(scene):
    for body in scene.bodies:
        assert (body.track[:, :2] >= 4).all() and (body.track[:, :2] <= 76).all()


@given(any_hard_scene)
@settings(max_examples=60, deadline=None)
def test_what_moves_in_the_harder_preset(scene):
    track, other = actor(scene).track, scene.bodies[-2].track
    if scene.pair == 'corner':  # two legs of one length, the second 90 degrees clockwise
        steps = np.diff(track[:, :2], axis=0)
        first, last = steps[steps.any(axis=1)][[0, -1]]
        halves = np.hypot(*(track[[0, -1], :2] - corner_of(track)).T)
        # the corner is found by prolonging steps that are rounded to 1 / 1024
        assert halves == pytest.approx(halves[0], abs=0.05) and 8.9 < halves[0] < 20.1
        assert np.degrees(turned(first, last)) == pytest.approx(90, abs=1)
        assert not moves(scene.bodies[-2]).any()
    if scene.pair == 'circling':  # about a place that rests, at one distance
        middle = (track[:, :2] + other[:, :2]) / 2
        assert np.ptp(middle, axis=0) == pytest.approx(0, abs=0.01)
        apart = np.hypot(*(track - other)[:, :2].T)
        assert np.ptp(apart) < 0.01 * apart[0] and apart.min() > track[0, 2] + other[0, 2] + 3
        assert 89 < np.degrees(turned(*(track - other)[[0, -1], :2])) < 161


def corner_of(track):
    """Where the first and the last straight stretch of a way meet."""
    moving = np.abs(np.diff(track, axis=0)).any(axis=1).nonzero()[0]
    (start, after), (before, stop) = (track[k : k + 2, :2] for k in moving[[0, -1]])
    along, back = after - start, before - stop
    share, _ = np.linalg.solve(np.stack([along, -back], axis=1), stop - start)
    return start + share * along


def turned(before, after):
    """Radians, clockwise on the screen, from one (row, column) direction to another."""
    angles = [np.arctan2(*direction) for direction in (before, after)]
    return (angles[1] - angles[0]) % (2 * np.pi)


def changed_centroid(first, second):
    """Mean (row, column) of the pixels that differ between two frames."""
    return np.argwhere(np.abs(first.astype(int) - second).max(axis=-1) > 60).mean(axis=0)


@pytest.mark.parametrize('pair, axis', [('horizontal', 1), ('vertical', 0)])
@pytest.mark.parametrize('start', [12, 30])
def test_pixels_move_right_and_down_in_the_first_class(pair, axis, start):
    """Measured in the pixels: where the picture differs from a frame without the actor."""
    scene = first_scene(pair, start=start)
    frames = render(scene)
    empty = render_without_actor(scene)
    way = changed_centroid(frames[-1], empty[-1]) - changed_centroid(frames[0], empty[0])
    assert way[axis] == pytest.approx(moves(actor(scene))[axis], abs=2)
    assert way[1 - axis] == pytest.approx(0, abs=2)


def render_without_actor(scene):
    return render(replace(scene, bodies=scene.bodies[:-1]))


def test_mirroring_exchanges_left_and_right():
    scene = first_scene('horizontal', start=30)
    frames, empty = (clip[:, :, ::-1] for clip in (render(scene), render_without_actor(scene)))
    way = changed_centroid(frames[-1], empty[-1]) - changed_centroid(frames[0], empty[0])
    assert FLIP_LABELS[0] == 1 and way[1] < -15


def test_pixels_grow_in_moving_closer():
    scene = first_scene('depth', start=12)
    frames, empty = render(scene), render_without_actor(scene)
    area = (np.abs(frames.astype(int) - empty).max(axis=-1) > 60).sum(axis=(1, 2))
    zoom = actor(scene).track[-1, 2] / actor(scene).track[0, 2]
    assert area[-1] / area[0] == pytest.approx(zoom**2, rel=0.15)


def turn_in_pixels(scene, frames, column):
    """Degrees, clockwise, by which the accent turns about the actor's place."""
    row, angles = actor(scene).track[0, 0], []
    for frame in (frames[0] / 255, frames[-1] / 255):
        accent = np.abs(frame - actor(scene).accent).max(axis=-1) < 0.12
        places = np.argwhere(accent) - (row, column)
        rows, columns = places[np.hypot(*places.T) < 9].mean(axis=0)
        angles.append(np.degrees(np.arctan2(rows, columns)))
    return (angles[1] - angles[0] + 180) % 360 - 180


def test_pixels_turn_clockwise_in_the_first_class():
    scene = next(
        scene
        for index in range(3, 400, 6)
        if actor(scene := sample_scene(0, 'train', index)).shape == 'disk'
        and actor(scene).pattern == 'half'
        and scene.size == 'large'
    )
    frames, column = render(scene), actor(scene).track[0, 1]
    turn = np.degrees(moves(actor(scene))[3])
    assert turn_in_pixels(scene, frames, column) == pytest.approx(turn, abs=8)
    assert turn_in_pixels(scene, frames[::-1], column) == pytest.approx(-turn, abs=8)
    mirrored = turn_in_pixels(scene, frames[:, :, ::-1], 79 - column)
    assert FLIP_LABELS[6] == 7 and mirrored == pytest.approx(-turn, abs=8)


def things_in_pixels(scene, which):
    """Where a body is before, half-way and after, from pixels alone; and in a mirror."""
    bodies = list(scene.bodies)
    del bodies[which]
    frames, empty = render(scene), render(replace(scene, bodies=tuple(bodies)))
    picked = scene.onset, scene.onset + scene.duration // 2, scene.onset + scene.duration
    masks = [(frames[k] != empty[k]).any(axis=-1) for k in picked]
    return [
        [np.argwhere(mask).mean(axis=0) for mask in clip]
        for clip in (masks, [mask[:, ::-1] for mask in masks])
    ]


def disks(pair, number):
    found = (
        scene
        for index in range(PAIRS.index(pair), 10_000, 8)
        if {(scene := sample_scene(0, 'train', index, 'hard')).bodies[-1].shape}
        | {scene.bodies[-2].shape}
        == {'disk'}
    )
    return [replace(next(found), shake=np.zeros((24, 2)), gain=np.ones(24)) for _ in range(number)]


def test_pixels_turn_right_at_a_corner_and_left_in_a_mirror():
    for scene in disks('corner', 2):
        for sign, (start, middle, stop) in zip((1, -1), things_in_pixels(scene, -1), strict=True):
            assert sign * np.sin(turned(middle - start, stop - middle)) > 0.3
    assert FLIP_LABELS[12] == 13


def test_pixels_circle_clockwise_and_counterclockwise_in_a_mirror():
    for scene in disks('circling', 2):
        both = zip(things_in_pixels(scene, -1), things_in_pixels(scene, -2), strict=True)
        for sign, (actors, others) in zip((1, -1), both, strict=True):
            ways = [one - other for one, other in zip(actors, others, strict=True)]
            assert sign * np.sin(turned(*ways[:2])) > 0.3
    assert FLIP_LABELS[14] == 15


def test_covered_object_vanishes():
    scene = next(
        scene
        for index in range(5, 400, 6)
        if actor(scene := sample_scene(0, 'train', index)).shape == 'disk'
        and scene.bodies[-2].shape == 'disk'
    )
    hidden = replace(scene, bodies=scene.bodies[:-2] + scene.bodies[-1:])
    differs = (render(scene) != render(hidden)).any(axis=(1, 2, 3))
    assert differs[0] and not differs[-1]


def test_frames_have_the_shape_and_use_the_range():
    frames = render(sample_scene(0, 'test', 3))
    assert frames.shape == (NUM_FRAMES, 80, 80, 3) and frames.dtype == np.uint8
    assert np.ptp(frames) > 150


def test_clips_differ_between_seeds_splits_and_indices():
    keys = [(0, 'train', 0), (1, 'train', 0), (0, 'val', 0), (0, 'test', 0), (0, 'train', 6)]
    assert len({render(sample_scene(*key)).tobytes() for key in keys}) == len(keys)


def digest():
    frames = [render(sample_scene(5, split, index)) for split in SPLITS for index in range(6)]
    return hashlib.sha256(np.stack(frames).tobytes()).hexdigest()


def test_frames_are_the_published_ones():
    """Pinned for ``generate.VERSION`` 1: whoever changes the pictures has to raise it."""
    assert digest() == '31becdeca9bb9790555dd87c13aea76e75b597eef48bd9bbbbdd0716357202bc'


def vector_units():
    """Vector units that NumPy chooses at run time on this processor."""
    core = (np._core if hasattr(np, '_core') else np.core)._multiarray_umath
    return [name for name in core.__cpu_dispatch__ if core.__cpu_features__[name]]


def test_frames_are_the_same_without_vector_units():
    if not vector_units():
        pytest.skip('NumPy chooses no vector unit on this processor')
    program = f'import runpy; runpy.run_path({__file__!r}, run_name="__main__")'
    result = subprocess.run(
        [sys.executable, '-c', program],
        text=True,
        capture_output=True,
        check=True,
        env={**os.environ, 'NPY_DISABLE_CPU_FEATURES': ' '.join(vector_units())},
    )
    assert result.stdout == f'{digest()} []\n'


@pytest.mark.parametrize(
    'arguments, word',
    [
        ((-1, 'train', 0), '-1'),
        ((0, 'dev', 0), 'dev'),
        ((0, 'train', -2), '-2'),
        ((0, 'train', 0, 'easy'), 'easy'),
    ],
)
def test_bad_arguments_are_named(arguments, word):
    with pytest.raises(ValueError, match=word):
        sample_scene(*arguments)


def test_sizes_and_speeds_are_told_apart():
    scenes = [sample_scene(0, 'train', index) for index in range(108)]
    radii = {
        size: [np.sqrt(np.prod(actor(s).track[[0, -1], 2])) for s in scenes if s.size == size]
        for size in SIZES
    }
    assert max(radii['small']) < min(radii['medium']) < max(radii['medium'])
    assert max(radii['medium']) < min(radii['large'])
    steps = {speed: [s.duration for s in scenes if s.speed == speed] for speed in SPEEDS}
    assert max(steps['fast']) < min(steps['slow'])


def test_presets_change_what_their_name_says_and_nothing_else():
    default = PRESETS['default']
    changed = {
        'size': {'radii'},
        'displacement': {'travel', 'moving_frames', 'pairs', 'start_every'},
        'clutter': {'min_clutter', 'max_clutter'},
        'movers': {'min_clutter', 'max_clutter', 'roam'},
        'camera': {'shake'},
        'occlusion': {'bars'},
        'blur': {'blur'},
    }
    assert STRESS.keys() == changed.keys()
    for axis, levels in STRESS.items():
        for level, preset in levels.items():
            assert PRESETS[f'{axis}_{level}'] == preset
            differs = {
                name for name, value in vars(preset).items() if value != getattr(default, name)
            }
            assert differs <= changed[axis]
            assert differs or (axis in ('occlusion', 'blur') and level == '0')


@pytest.mark.parametrize('preset', sorted({*PRESETS} - {'default'}))
def test_every_preset_makes_every_pair(preset):
    assert {buckets(index, preset)[0] for index in range(8)} == {*PRESETS[preset].pairs}
    for index in (*range(8), 12, 35):
        scene = sample_scene(0, 'test', index, preset)
        assert render(scene).shape == (24, 80, 80, 3)
        assert np.abs(scene.shake).max() < (len(scene.background) - 80) / 2
        for body in scene.bodies:
            assert (body.track[:, :2] >= 4).all() and (body.track[:, :2] <= 76).all()


def stressed(axis, level, count=36):
    return [sample_scene(3, 'test', index, f'{axis}_{level}') for index in range(count)]


@pytest.mark.parametrize('radius', STRESS['size'])
def test_size_of_the_actor(radius):
    for scene in stressed('size', radius):
        first, last = actor(scene).track[[0, -1], 2]
        assert np.sqrt(first * last) == pytest.approx(int(radius), abs=1e-2)


@pytest.mark.parametrize('pixels', STRESS['displacement'])
def test_pixels_from_one_sampled_frame_to_the_next(pixels):
    for scene in stressed('displacement', pixels, 60):
        assert scene.pair in ('horizontal', 'vertical') and scene.onset + scene.duration < 24
        steps = np.diff(actor(scene).track[1::3, int(scene.pair == 'horizontal')])
        assert steps.max() == pytest.approx(int(pixels), abs=0.5)
        assert steps.sum() <= 38.01


@pytest.mark.parametrize('axis', ['clutter', 'movers'])
def test_number_of_things_that_mean_nothing(axis):
    for number in map(int, STRESS[axis]):
        for scene in stressed(axis, number, 6):
            tracks = [body.track for body in scene.bodies[:-2]]
            assert len(tracks) == number
            for track in tracks:
                assert np.array_equal(track, track[::-1])  # says nothing of the direction of time
                far = np.hypot(*np.ptp(track[:, :2], axis=0))
                assert far == pytest.approx(20 * 11 / 11.5 if axis == 'movers' else 0, abs=0.01)


@pytest.mark.parametrize('amplitude', STRESS['camera'])
def test_reach_of_the_camera(amplitude):
    reach = np.abs([scene.shake for scene in stressed('camera', amplitude)]).max()
    assert int(amplitude) <= reach <= 2 * int(amplitude)


@pytest.mark.parametrize('width', STRESS['occlusion'])
def test_bars_hide_columns_of_all_frames_and_nothing_else(width):
    for scene in stressed('occlusion', width, 6):
        frames, bare = render(scene), render(replace(scene, bars=0))
        hidden = [column for column in range(80) if column % 20 < int(width)]
        assert (frames[:, :, hidden] == 128).all()
        shown = np.setdiff1d(range(80), hidden)
        assert np.array_equal(frames[:, :, shown], bare[:, :, shown])


@pytest.mark.parametrize('sigma', STRESS['blur'])
def test_blur_has_the_binomial_weights_of_its_variance(sigma):
    steps = 4 * int(sigma) ** 2  # of one half either way: a variance of one quarter each
    weights = [comb(steps, step) / 2**steps for step in range(steps + 1)]
    for scene in stressed('blur', sigma, 3):
        expected = render(replace(scene, blur=0)).astype(float)
        for axis in (1, 2):
            expected = ndimage.correlate1d(expected, weights, axis, mode='reflect')
        assert np.abs(render(scene) - expected).max() <= 1 + 1e-6  # both are rounded


def test_background_moves_with_the_camera():
    """In a corner where no thing is, a later frame is the first one moved by the difference."""
    scene = sample_scene(0, 'test', 0, 'camera_8')
    still = replace(scene, bodies=(), gain=np.ones(24), shake=np.round(scene.shake))
    frames = render(still).astype(int)
    for frame, (rows, columns) in zip(
        frames, (still.shake - still.shake[0]).astype(int), strict=True
    ):
        moved = np.roll(frames[0], (rows, columns), axis=(0, 1))
        assert np.array_equal(frame[32:48, 32:48], moved[32:48, 32:48])


if __name__ == '__main__':
    print(digest(), vector_units())
