"""Frames of TAda2D's code: corner cases by hand, its formulas against plain loops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope

import mmaction_ext.register  # noqa: F401
from mmaction_ext.datasets.pipelines import flipping_twice, swapping_flip, tada_test, tada_train
from mmaction_ext.datasets.tada_sampling import (
    SampleTAdaFrames,
    interval_frames,
    segment_frames,
)
from mmaction_ext.errors import InputError

frames, seeds = st.integers(1, 400), st.integers(0, 2**32 - 1)


@pytest.mark.parametrize(
    'num_frames, clip, num_clips, expected',
    [
        (24, 0, 1, [2, 4, 8, 10, 14, 16, 20, 22]),  # 1.5, 4.5, ...: halves go to even numbers
        (40, 0, 1, [2, 8, 12, 18, 22, 28, 32, 38]),
        (40, 0, 2, [2, 8, 12, 18, 22, 28, 32, 38]),
        (40, 1, 2, [5, 10, 15, 20, 25, 30, 35, 39]),  # the ends of the parts
        (4, 0, 1, [0, 1, 1, 2, 2, 3, 3, 3]),
        (1, 1, 2, [0] * 8),
    ],
)
def test_frames_of_parts_by_hand(num_frames, clip, num_clips, expected):
    assert segment_frames(num_frames, 8, clip, num_clips).tolist() == expected


@given(frames, st.integers(1, 40), seeds)
def test_random_frames_are_the_nearest_of_places_in_equal_parts(num_frames, parts, seed):
    found = segment_frames(num_frames, parts, rng=np.random.RandomState(seed))
    rng = np.random.RandomState(seed)
    for i, frame in enumerate(found):
        place = rng.uniform(num_frames * i / parts, num_frames * (i + 1) / parts)
        assert abs(frame - min(place, num_frames - 1)) <= 0.5 + 1e-9
    assert found.dtype == np.int64 and (np.diff(found) >= 0).all()


@pytest.mark.parametrize(
    'num_frames, rate, clip, num_clips, expected',
    [
        (80, 30, 0, 1, [0, 26, 52, 79]),  # 79 / 3 from one to the next
        (100, 30, 0, 1, [10, 36, 62, 89]),
        (100, 30, 9, 10, [18, 44, 70, 97]),  # the last of ten windows ends before the video
        (100, 15, 0, 1, [30, 43, 56, 69]),  # half the rate, half as long a window
        (60, 30, 3, 10, [0, 26, 52, 59]),  # too short: the last frame
    ],
)
def test_frames_of_a_window_by_hand(num_frames, rate, clip, num_clips, expected):
    assert interval_frames(num_frames, rate, 4, 20, clip, num_clips).tolist() == expected


@given(frames, st.floats(5, 60), st.integers(2, 32), st.integers(1, 8), seeds)
def test_random_windows_lie_in_the_video(num_frames, rate, clip_len, interval, seed):
    found = interval_frames(num_frames, rate, clip_len, interval, rng=np.random.RandomState(seed))
    assert found.shape == (clip_len,) and found[0] >= 0 and found[-1] < num_frames
    length = clip_len * interval * rate / 30
    if 1 < length <= num_frames:  # truncated: never more than a frame before its place
        gaps, step = np.diff(found), (length - 1) / (clip_len - 1)
        assert (abs(gaps - step) < 1 + 1e-6).all()
        assert found[-1] - found[0] == pytest.approx(length - 1, abs=1)


def test_the_step_has_all_clips_one_behind_the_other():
    video = dict(total_frames=100, start_index=1, avg_fps=15.0)
    step = SampleTAdaFrames(4, frame_interval=20, num_clips=2, test_mode=True)
    found = step.transform(dict(video))
    first, second = (interval_frames(100, 15, 4, 20, clip, 2) for clip in (0, 1))
    assert found['frame_inds'].tolist() == [*(first + 1), *(second + 1)]
    assert (found['clip_len'], found['num_clips'], found['frame_interval']) == (4, 2, 20)
    unknown = step.transform(dict(video, avg_fps=None))['frame_inds']
    assert unknown.tolist() == step.transform(dict(video, avg_fps=30))['frame_inds'].tolist()


def test_the_step_draws_in_training():
    step = SampleTAdaFrames(8)
    np.random.seed(0)
    found = step.transform(dict(total_frames=400, start_index=1))['frame_inds']
    expected = segment_frames(400, 8, rng=np.random.RandomState(0)) + 1
    assert found.tolist() == expected.tolist()


@pytest.mark.parametrize(
    'arguments, message',
    [
        (dict(num_segments=0), 'num_segments'),
        (dict(num_segments=8, frame_interval=0), 'frame_interval'),
        (dict(num_segments=8, num_clips=0), 'num_clips'),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        SampleTAdaFrames(**arguments)


def test_an_empty_video_is_named():
    with pytest.raises(InputError, match=r'a\.mp4: the video holds no frame'):
        SampleTAdaFrames(8).transform(dict(total_frames=0, filename='a.mp4'))


def run_from_decoded(pipeline, label, count=2, num_clips=1):
    """The steps behind decoding, on frames of 240 x 320 whose left half is dark."""
    frame = np.zeros((240, 320, 3), np.uint8)
    frame[:, 160:] = 200
    start = [step['type'] for step in pipeline].index('NamedRawFrameDecode') + 1
    with DefaultScope.overwrite_default_scope('mmaction'):
        steps = Compose(pipeline[start:])
    return steps(
        dict(
            imgs=[frame + np.uint8(i) for i in range(count)],
            img_shape=(240, 320),
            original_shape=(240, 320),
            label=label,
            modality='RGB',
            num_clips=num_clips,
            clip_len=2,
            frame_dir='x',
        )
    )


@pytest.mark.parametrize(
    'flips, label, expected',
    [
        (flipping_twice(), 86, {(86, False), (86, True), (87, False), (87, True)}),
        ([swapping_flip()], 86, {(86, False), (87, True)}),
        (flipping_twice(), 5, {(5, False), (5, True)}),
    ],
)
def test_labels_of_flipped_clips(flips, label, expected):
    """As released, half of the clips of a class with a side have the label of the other side."""
    pipeline, found = tada_train(2, 'rawframes', None, flips), set()
    np.random.seed(0)
    for _ in range(24):
        packed = run_from_decoded(pipeline, label)
        images = packed['inputs'].float()
        assert images.shape == (2, 3, 224, 224)
        dark_left = images[..., 0].mean() < images[..., -1].mean()
        found.add((packed['data_samples'].gt_label.item(), not dark_left.item()))
    assert found == expected


def test_views_of_a_test_are_clips_of_three_crops():
    pipeline = tada_test(2, 'rawframes', num_clips=2, num_crops=3)
    images = run_from_decoded(pipeline, 0, count=4, num_clips=2)['inputs']
    assert images.shape == (12, 3, 256, 256)
    # frames of a clip lie one behind the other; the left crop is darkest
    assert images[:, 0, 0, 0].tolist() == [0, 1, 2, 3] * 3
    means = images.float().mean((1, 2, 3)).view(3, 4).mean(1)
    assert means[0] < means.median() < means.max()
