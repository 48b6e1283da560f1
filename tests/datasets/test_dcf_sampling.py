"""Which frames the recipes of DCF take, and that their pipelines run on real files."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmaction.registry import TRANSFORMS
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope
from published_data import write_frames, write_video

import mmaction_ext.register  # noqa: F401
from mmaction_ext.datasets.pipelines import (
    interval_clips,
    interval_test,
    interval_train,
    rawframe_test,
    rawframe_train,
    video_test,
    video_train,
)
from mmaction_ext.errors import InputError

#: DCF section 4.1: "interval of 8 for 8 frames, interval of 6 for 13 frames and interval of 5
#: for 16 frames"
INTERVALS = {8: 8, 13: 6, 16: 5}


@pytest.fixture(autouse=True)
def mmaction_scope():
    """Names of transforms, data sets and layers are looked up in mmaction2 first."""
    with DefaultScope.overwrite_default_scope('mmaction'):
        yield


def sample(num_frames, start_index=0, **step):
    transform = TRANSFORMS.build(interval_clips(**step))
    return transform(dict(total_frames=num_frames, start_index=start_index))['frame_inds']


def video(path, num_frames):
    write_video(path, num_frames)
    return dict(filename=str(path), start_index=0, modality='RGB', label=0)


def folder(path, num_frames):
    write_frames(path, num_frames)
    return dict(
        frame_dir=str(path),
        total_frames=num_frames,
        start_index=1,
        modality='RGB',
        filename_tmpl='{:05}.jpg',
        label=0,
    )


def run(steps, results):
    steps = [step for step in steps if step['type'] != 'SeedSample']  # waits for a runner
    return Compose(steps)(dict(results))['inputs']


@pytest.mark.parametrize('clip_len, interval', INTERVALS.items())
def test_training_frames_are_an_interval_apart(clip_len, interval):
    np.random.seed(0)
    starts = []
    for _ in range(200):
        inds = sample(300, clip_len=clip_len, interval=interval)
        assert np.diff(inds).tolist() == [interval] * (clip_len - 1)
        starts.append(inds[0])
    assert min(starts) >= 0 and max(starts) + (clip_len - 1) * interval < 300
    assert len(set(starts)) > 100


@pytest.mark.parametrize(
    'clip_len, interval, first, last', [(8, 8, 121, 177), (13, 6, 113, 185), (16, 5, 112, 187)]
)
def test_one_test_clip_is_the_middle_one(clip_len, interval, first, last):
    inds = sample(300, clip_len=clip_len, interval=interval, test_mode=True)
    assert (inds[0], inds[-1]) == (first, last)


def test_ten_test_clips_are_spread_evenly_from_the_first_frame_to_the_last():
    inds = sample(300, clip_len=16, interval=5, num_clips=10, test_mode=True).reshape(10, 16)
    assert inds[:, 0].tolist() == [0, 25, 50, 75, 100, 124, 149, 174, 199, 224]
    assert inds[-1, -1] == 299 and (np.diff(inds, axis=1) == 5).all()


@pytest.mark.parametrize('test_mode', [False, True])
def test_a_short_video_repeats_the_last_frame_it_has_at_the_interval(test_mode):
    inds = sample(23, clip_len=8, interval=8, test_mode=test_mode)
    assert inds.tolist() == [0, 8, 16, 16, 16, 16, 16, 16]


@given(st.integers(1, 400), st.sampled_from(sorted(INTERVALS)), st.booleans(), st.integers(1, 10))
def test_frames_exist_and_never_go_back(num_frames, clip_len, test_mode, num_clips):
    clips = num_clips if test_mode else 1
    inds = sample(
        num_frames,
        clip_len=clip_len,
        interval=INTERVALS[clip_len],
        num_clips=clips,
        test_mode=test_mode,
    ).reshape(clips, clip_len)
    assert inds.min() >= 0 and inds.max() < num_frames
    assert (np.diff(inds, axis=1) >= 0).all()


def test_kinetics_pipelines_run(tmp_path):
    clip = video(tmp_path / 'a.mp4', 30)
    assert run(interval_train(4, 5, 24, (26, 30)), clip).shape == (1, 3, 4, 24, 24)
    views = run(interval_test(4, 5, crop=28, short_side=28, num_clips=10, num_crops=3), clip)
    assert views.shape == (30, 3, 4, 28, 28)


def test_something_pipelines_run_on_videos_and_on_frames(tmp_path):
    clip, frames = video(tmp_path / 'a.mp4', 9), folder(tmp_path / 'b', 9)
    for train, test, source in (
        (video_train, video_test, clip),
        (rawframe_train, rawframe_test, frames),
    ):
        assert run(train(5, 'NCTHW', 20, (22, 26)), source).shape == (1, 3, 5, 20, 20)
        assert run(test(5, 'NCHW', 20, 22), source).shape == (5, 3, 20, 20)
    assert run(video_test(5, 'NCTHW', 20, 20, num_crops=3), clip).shape == (3, 3, 5, 20, 20)


def test_frames_of_a_folder_are_the_segments_centres_counted_from_one(tmp_path):
    steps = rawframe_test(3, 'NCHW', 20, 22)[:2]
    results = Compose(steps)(folder(tmp_path / 'b', 9))
    assert [image[0, 0, 0] for image in results['imgs']] == [9 * number for number in (2, 5, 8)]


def test_a_missing_frame_is_named(tmp_path):
    frames = folder(tmp_path / 'b', 9)
    (tmp_path / 'b' / '00005.jpg').unlink()
    with pytest.raises(InputError, match=r'00005.jpg'):
        run(rawframe_test(3, 'NCHW', 20, 22), frames)
