"""Clips, stretching and colours as MFNet's code has them, against plain reckoning."""

import colorsys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mmaction_ext.datasets.clip_transforms import (
    HLSJitter,
    RandomStretch,
    SampleClips,
    clip_indices,
    shift_hls,
    stretched_size,
)
from mmaction_ext.errors import InputError

small = st.integers(1, 8)


@pytest.mark.parametrize(
    'num_frames, clip_len, interval, num_clips, expected',
    [
        (9, 3, 2, 1, [2, 4, 6]),
        (5, 3, 2, 1, [0, 2, 4]),
        (10, 3, 2, 3, [0, 2, 4, 3, 5, 7, 5, 7, 9]),
        (7, 2, 1, 2, [0, 1, 5, 6]),
        (4, 3, 2, 1, [1, 1, 1]),
        (4, 3, 2, 2, [1, 1, 1, 1, 1, 1]),
    ],
)
def test_clips_in_testing_by_hand(num_frames, clip_len, interval, num_clips, expected):
    assert clip_indices(num_frames, clip_len, interval, num_clips).tolist() == expected


@given(st.integers(1, 200), small, small, small, st.booleans(), st.integers(0, 2**32 - 1))
def test_clips_lie_in_the_video_and_keep_the_interval(
    frames, clip_len, interval, clips, random, seed
):
    rng = np.random.RandomState(seed) if random else None
    inds = clip_indices(frames, clip_len, interval, clips, rng)
    assert inds.dtype == np.int64 and inds.min() >= 0 and inds.max() < frames
    steps = np.diff(inds.reshape(clips, clip_len), axis=1)
    fits = (clip_len - 1) * interval < frames
    assert (steps == (interval if fits else 0)).all()


def test_every_start_is_drawn_equally_often():
    rng = np.random.RandomState(0)
    starts = [clip_indices(35, 16, 2, rng=rng)[0] for _ in range(5000)]
    counts = np.bincount(starts)
    assert len(counts) == 5 and np.abs(counts - 1000).max() < 120  # five standard deviations


def test_sample_clips_adds_the_start_index_and_says_what_it_took():
    results = SampleClips(2, 3, 2, test_mode=True)(dict(total_frames=10, start_index=1))
    assert results['frame_inds'].tolist() == [1, 4, 7, 10]
    assert (results['clip_len'], results['frame_interval'], results['num_clips']) == (2, 3, 2)


def test_sample_clips_refuses_what_cannot_be():
    with pytest.raises(InputError, match='frame_interval must be at least 1, got 0'):
        SampleClips(16, 0)
    with pytest.raises(InputError, match=r'a.mp4: the video holds no frame'):
        SampleClips(16)(dict(total_frames=0, filename='a.mp4'))


@given(st.floats(0.8, 1.25), st.floats(224, 288))
def test_stretched_sizes_have_the_shape_and_the_side_asked_for(aspect, side):
    width, height = stretched_size(aspect, side)
    assert side - 1e-6 <= min(width, height) <= side + 1
    assert width / height == pytest.approx(aspect**2, rel=0.01)


def test_stretching_covers_both_shapes_and_all_sides_and_treats_frames_alike():
    np.random.seed(0)
    frame = np.zeros((120, 400, 3), dtype=np.uint8)
    sizes = []
    for _ in range(300):
        results = RandomStretch((20, 30))(dict(imgs=[frame, frame], img_shape=(120, 400)))
        assert {img.shape[:2] for img in results['imgs']} == {results['img_shape']}
        sizes.append(results['img_shape'])
    height, width = np.array(sizes).T
    assert 0.4 < np.mean(width > height) < 0.6
    assert np.array_equal(np.unique(np.minimum(height, width)), np.arange(21, 31))


def test_a_range_that_is_none_is_refused():
    with pytest.raises(InputError, match=r'short_side must be a range .* got \(288, 224\)'):
        RandomStretch((288, 224))
    with pytest.raises(InputError, match='must not be negative'):
        HLSJitter(hue=-1)


@pytest.mark.parametrize(
    'color, shifts',
    [
        ((200, 60, 20), (10, 0, 0)),
        ((200, 60, 20), (0, 30, 0)),
        ((20, 160, 90), (0, -20, -25)),
        ((20, 160, 90), (-15, 35, 25)),
    ],
)
def test_colours_are_shifted_as_the_standard_library_says(color, shifts):
    hue, lightness, saturation = colorsys.rgb_to_hls(*(c / 255 for c in color))
    expected = colorsys.hls_to_rgb(
        hue + shifts[0] / 180, lightness + shifts[1] / 255, min(saturation + shifts[2] / 255, 1)
    )
    found = shift_hls(np.array([[color]], dtype=np.uint8), np.array(shifts, dtype=np.int16))
    assert found.dtype == np.uint8
    assert np.abs(found[0, 0] - 255 * np.array(expected)).max() < 4  # eight bits there and back


def test_colours_stop_at_the_ends_of_their_range():
    white_and_red = np.array([[[255, 255, 255], [255, 0, 0]]], dtype=np.uint8)
    found = shift_hls(white_and_red, np.array([-20, 0, 50], dtype=np.int16))
    assert np.abs(found.astype(int) - white_and_red).max() <= 1


def test_jitter_of_nothing_changes_little_and_frames_are_jittered_alike():
    frame = np.random.RandomState(0).randint(60, 200, (8, 8, 3)).astype(np.uint8)
    (same,) = HLSJitter(0, 0, 0)(dict(imgs=[frame]))['imgs']
    assert np.abs(same.astype(int) - frame).max() <= 6
    np.random.seed(1)
    first, second = HLSJitter()(dict(imgs=[frame, frame]))['imgs']
    assert np.array_equal(first, second) and np.abs(first.astype(int) - frame).max() > 6
