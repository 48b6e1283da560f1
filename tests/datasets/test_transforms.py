"""Sampling and decoding: exact indices, symmetry, and errors that name the video."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmaction.datasets.transforms import DecordDecode
from mmengine.dataset import Compose

from mmaction_ext.datasets.synthmotion.video import write_mp4
from mmaction_ext.datasets.transforms import NamedDecordInit, SampleSegments, segment_indices
from mmaction_ext.errors import InputError

frames = st.integers(1, 300)
segments = st.integers(1, 40)


@pytest.mark.parametrize('num_frames, num_segments, expected', [
    (24, 8, [1, 4, 7, 10, 13, 16, 19, 22]),
    (8, 8, [0, 1, 2, 3, 4, 5, 6, 7]),
    (16, 8, [0, 2, 4, 6, 9, 11, 13, 15]),
    (9, 3, [1, 4, 7]),
    (1, 4, [0, 0, 0, 0]),
    (2, 4, [0, 0, 1, 1]),
])
def test_centres_by_hand(num_frames, num_segments, expected):
    assert segment_indices(num_frames, num_segments).tolist() == expected


@given(frames, segments)
def test_centres_are_inside_their_segments_and_ascend(num_frames, num_segments):
    inds = segment_indices(num_frames, num_segments)
    assert inds.shape == (num_segments,) and inds.dtype == np.int64
    assert (np.diff(inds) >= 0).all() and 0 <= inds[0] and inds[-1] < num_frames
    centres = (np.arange(num_segments) + 0.5) * num_frames / num_segments - 0.5
    assert np.abs(inds - centres).max() <= 1


@given(frames, segments)
def test_centres_are_symmetric_under_time_reversal(num_frames, num_segments):
    if num_segments % 2 and num_frames % 2 == 0:
        return  # no middle frame exists
    inds = segment_indices(num_frames, num_segments)
    assert (inds == (num_frames - 1 - inds)[::-1]).all()


@given(frames, segments, st.integers(0, 2**32 - 1))
def test_random_frames_stay_in_their_segments(num_frames, num_segments, seed):
    inds = segment_indices(num_frames, num_segments, np.random.RandomState(seed))
    low = np.floor(np.arange(num_segments) * num_frames / num_segments)
    high = np.ceil((np.arange(num_segments) + 1) * num_frames / num_segments)
    assert (low <= inds).all() and (inds < high).all()


def test_random_frames_cover_a_segment_evenly():
    rng = np.random.RandomState(0)
    counts = np.bincount([segment_indices(24, 8, rng)[2] for _ in range(3000)], minlength=24)
    assert set(np.nonzero(counts)[0]) == {6, 7, 8}
    assert np.abs(counts[6:9] - 1000).max() < 120  # 4.6 standard deviations


def test_sample_segments_serves_both_layouts_and_counts_from_start_index():
    sample = SampleSegments(num_segments=4, test_mode=True)
    results = sample(dict(total_frames=8, start_index=1))
    assert results['frame_inds'].tolist() == [1, 3, 6, 8]
    assert (results['clip_len'], results['num_clips']) == (4, 1)


def test_sample_segments_refuses_what_it_cannot_do():
    with pytest.raises(ValueError, match='num_segments must be at least 1, got 0'):
        SampleSegments(num_segments=0)
    with pytest.raises(InputError, match='empty.mp4: the video holds no frame'):
        SampleSegments(4)(dict(total_frames=0, filename='empty.mp4'))


@pytest.mark.parametrize('content', [b'', b'no video at all' * 100], ids=['empty', 'text'])
def test_undecodable_video_is_named(tmp_path, content):
    path = tmp_path / 'broken.mp4'
    path.write_bytes(content)
    with pytest.raises(InputError, match=f'{path}: the video cannot be decoded'):
        NamedDecordInit()(dict(filename=str(path)))


def test_damage_in_the_middle_of_a_video_is_named(tmp_path):
    path = tmp_path / 'clip.mp4'
    write_mp4(np.random.RandomState(0).randint(0, 256, (24, 80, 80, 3), np.uint8), path)
    pipeline = Compose([NamedDecordInit(), SampleSegments(8, test_mode=True), DecordDecode()])
    assert len(pipeline(dict(filename=str(path)))['imgs']) == 8
    data = bytearray(path.read_bytes())
    data[len(data) // 4:3 * len(data) // 4] = bytes(len(data) // 2)
    path.write_bytes(data)
    with pytest.raises(InputError, match=f'{path}: the video cannot be decoded'):
        pipeline(dict(filename=str(path)))


def test_wrong_argument_is_not_blamed_on_the_video(tmp_path):
    path = tmp_path / 'clip.mp4'
    write_mp4(np.zeros((2, 80, 80, 3), np.uint8), path)
    with pytest.raises(TypeError, match='no_such_argument'):
        NamedDecordInit(no_such_argument=1)(dict(filename=str(path)))


def test_missing_video_is_named(tmp_path):
    with pytest.raises(InputError, match='gone.mp4: the video cannot be decoded'):
        NamedDecordInit()(dict(filename=str(tmp_path / 'gone.mp4')))
