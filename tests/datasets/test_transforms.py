"""Sampling and decoding: exact indices, symmetry, and errors that name the video."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from mmengine.dataset import Compose
from published_data import write_frames

from mmaction_ext.datasets.flips import SOMETHING_FLIP_LABELS
from mmaction_ext.datasets.transforms import (
    DirectionAwareFlip,
    FramesToChannels,
    NamedRawFrameDecode,
    SampleSegments,
    VideoDecode,
    VideoInit,
    segment_indices,
)
from mmaction_ext.errors import InputError
from mmaction_ext.video import write_mp4

frames = st.integers(1, 300)
segments = st.integers(1, 40)


@pytest.mark.parametrize(
    'num_frames, num_segments, expected',
    [
        (24, 8, [1, 4, 7, 10, 13, 16, 19, 22]),
        (8, 8, [0, 1, 2, 3, 4, 5, 6, 7]),
        (16, 8, [0, 2, 4, 6, 9, 11, 13, 15]),
        (9, 3, [1, 4, 7]),
        (1, 4, [0, 0, 0, 0]),
        (2, 4, [0, 0, 1, 1]),
    ],
)
def test_centres_by_hand(num_frames, num_segments, expected):
    assert segment_indices(num_frames, num_segments).tolist() == expected


@given(frames, segments)
def test_centres_are_inside_their_segments_and_ascend(num_frames, num_segments):
    inds = segment_indices(num_frames, num_segments)
    assert inds.shape == (num_segments,) and inds.dtype == np.int64
    assert (np.diff(inds) >= 0).all() and inds[0] >= 0 and inds[-1] < num_frames
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


@given(frames, segments, st.sampled_from([1, 3, 5]))
def test_rows_of_a_reversed_video_are_the_same_frames_in_reverse(num_frames, num_segments, row):
    """The chosen frame in their middle; at an end of the video its frame repeats."""
    assume(num_segments % 2 == 0 or num_frames % 2 == 1)
    sample = SampleSegments(num_segments, test_mode=True, consecutive=row)
    inds = sample(dict(total_frames=num_frames))['frame_inds']
    rows = inds.reshape(num_segments, row)
    assert (rows[:, row // 2] == segment_indices(num_frames, num_segments)).all()
    expected = rows[:, row // 2, None] + np.arange(row) - row // 2
    assert (rows == np.clip(expected, 0, num_frames - 1)).all()
    assert (inds == (num_frames - 1 - inds)[::-1]).all()


def test_frames_become_channels_of_one():
    images = [np.full((2, 3, 3), 10 * i, np.uint8) + np.uint8([0, 1, 2]) for i in range(6)]
    found = FramesToChannels(3)(dict(imgs=images))['imgs']
    assert [image.shape for image in found] == [(2, 3, 9)] * 2
    assert found[1][1, 2].tolist() == [30, 31, 32, 40, 41, 42, 50, 51, 52]
    with pytest.raises(InputError, match='6 pictures do not divide into rows of 4'):
        FramesToChannels(4)(dict(imgs=images))
    with pytest.raises(InputError, match='frames must be at least 1, got 0'):
        FramesToChannels(0)


def test_sample_segments_refuses_what_it_cannot_do():
    with pytest.raises(InputError, match='consecutive must be an odd number, got 4'):
        SampleSegments(4, consecutive=4)
    with pytest.raises(ValueError, match='num_segments must be at least 1, got 0'):
        SampleSegments(num_segments=0)
    with pytest.raises(InputError, match=r'empty.mp4: the video holds no frame'):
        SampleSegments(4)(dict(total_frames=0, filename='empty.mp4'))


@pytest.mark.parametrize('content', [b'', b'no video at all' * 100], ids=['empty', 'text'])
def test_undecodable_video_is_named(tmp_path, content):
    path = tmp_path / 'broken.mp4'
    path.write_bytes(content)
    with pytest.raises(InputError, match=f'{path}: the video cannot be decoded'):
        VideoInit()(dict(filename=str(path)))


def test_damage_in_the_middle_of_a_video_is_named(tmp_path):
    path = tmp_path / 'clip.mp4'
    write_mp4(np.random.RandomState(0).randint(0, 256, (24, 80, 80, 3), np.uint8), path)
    pipeline = Compose([VideoInit(), SampleSegments(8, test_mode=True), VideoDecode()])
    assert len(pipeline(dict(filename=str(path)))['imgs']) == 8
    data = bytearray(path.read_bytes())
    data[len(data) // 4 : 3 * len(data) // 4] = bytes(len(data) // 2)
    path.write_bytes(data)
    with pytest.raises(InputError, match=f'{path}: the video cannot be decoded'):
        pipeline(dict(filename=str(path)))


def test_wrong_argument_is_not_blamed_on_the_video(tmp_path):
    path = tmp_path / 'clip.mp4'
    write_mp4(np.zeros((2, 80, 80, 3), np.uint8), path)
    with pytest.raises(TypeError, match='no_such_argument'):
        VideoInit(no_such_argument=1)(dict(filename=str(path)))


def test_missing_video_is_named(tmp_path):
    with pytest.raises(InputError, match=r'gone.mp4: the video cannot be decoded'):
        VideoInit()(dict(filename=str(tmp_path / 'gone.mp4')))


def frames_of(folder, *indices):
    return dict(
        frame_dir=str(folder),
        filename_tmpl='{:05}.jpg',
        modality='RGB',
        frame_inds=np.array(indices),
    )


def test_frames_are_read(tmp_path):
    write_frames(tmp_path, 4)
    images = NamedRawFrameDecode()(frames_of(tmp_path, 2, 4, 4))['imgs']
    assert [int(image.mean().round()) for image in images] == [18, 36, 36]


@pytest.mark.parametrize('victim', ['00001.jpg', '00003.jpg'])
def test_unreadable_frame_is_named(tmp_path, victim):
    write_frames(tmp_path, 4)
    for content in (b'no picture', b''):
        (tmp_path / victim).write_bytes(content)
        with pytest.raises(InputError, match=rf'{tmp_path}/{victim}: .*\(it is no picture\)'):
            NamedRawFrameDecode()(frames_of(tmp_path, 1, 2, 3))
    (tmp_path / victim).unlink()
    with pytest.raises(InputError, match=rf'{victim}: the frame cannot be read \(No such file'):
        NamedRawFrameDecode()(frames_of(tmp_path, 1, 2, 3))


def test_wrong_argument_is_not_blamed_on_a_frame(tmp_path):
    write_frames(tmp_path, 2)
    with pytest.raises(AttributeError):
        NamedRawFrameDecode()(
            dict(frames_of(tmp_path, 1), filename_tmpl='{:05}.jpg', frame_inds=None)
        )


SIDES = [
    'Holding something',
    'Pulling something from left to right',
    'Pulling something from right to left',
]


def flipped(transform, label):
    """Whether a ramp comes out mirrored, and its label."""
    ramp = np.tile(np.arange(8, dtype=np.uint8)[None, :, None], (4, 1, 3))
    results = transform(dict(imgs=[ramp.copy()], img_shape=(4, 8), modality='RGB', label=label))
    mirrored = bool((results['imgs'][0] == ramp[:, ::-1]).all())
    assert mirrored or (results['imgs'][0] == ramp).all()
    assert mirrored == results['flip']
    return mirrored, results['label']


@pytest.mark.parametrize(
    'label, swapped, skipped',
    [(0, (True, 0), (True, 0)), (1, (True, 2), (False, 1)), (2, (True, 1), (False, 2))],
)
def test_sided_classes_swap_their_label_or_are_left_alone(tmp_path, label, swapped, skipped):
    (tmp_path / 'classes.txt').write_text('\n'.join(SIDES) + '\n')
    for classes in (SIDES, str(tmp_path / 'classes.txt'), {1: 2, 2: 1}):
        assert flipped(DirectionAwareFlip(classes, 'swap', 1.0), label) == swapped
        assert flipped(DirectionAwareFlip(classes, 'skip', 1.0), label) == skipped
        assert flipped(DirectionAwareFlip(classes, 'swap', 0.0), label) == (False, label)


def test_skipping_draws_as_many_random_numbers_as_flipping():
    states = []
    for label in (86, 0):
        np.random.seed(3)
        flipped(DirectionAwareFlip(SOMETHING_FLIP_LABELS, 'skip'), label)
        states.append(np.random.rand())
    assert states[0] == states[1]


def test_flip_refuses_what_it_cannot_do(tmp_path):
    with pytest.raises(InputError, match="sided must be 'swap' or 'skip', got 'mirror'"):
        DirectionAwareFlip(SIDES, 'mirror')
    with pytest.raises(InputError, match=r'gone.txt cannot be read'):
        DirectionAwareFlip(str(tmp_path / 'gone.txt'))
    with pytest.raises(InputError, match='has no mirror image'):
        DirectionAwareFlip(SIDES[:2])
    assert DirectionAwareFlip(SIDES[:2], 'skip').skipped == {1}
