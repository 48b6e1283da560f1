"""Frames of TSN's code: its corner cases by hand, its formulas against plain loops."""

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope

import mmaction_ext.register  # noqa: F401
from mmaction_ext.datasets.pipelines import (
    cross_test,
    cross_train,
    segments_test,
    segments_train,
    swapping_flip,
    training_loader,
    tsn_test,
    tsn_train,
)
from mmaction_ext.datasets.tsn_sampling import (
    SampleTSNSegments,
    fixed_tsn_indices,
    random_tsn_indices,
)
from mmaction_ext.errors import InputError

frames, segments = st.integers(1, 300), st.integers(1, 40)


class Highest:
    """Draws the highest number there is."""

    @staticmethod
    def randint(high, size):
        return np.full(size, high - 1)


@pytest.mark.parametrize(
    'num_frames, place, expected',
    [
        (24, 0.5, [1, 4, 7, 10, 13, 16, 19, 22]),
        (24, 0.0, [0, 3, 6, 9, 12, 15, 18, 21]),
        (29, 0.5, [1, 5, 9, 12, 16, 19, 23, 27]),  # tick = 3.625
        (9, 0.5, [0, 1, 2, 3, 5, 6, 7, 8]),
        (8, 0.5, [0] * 8),  # as many frames as segments: the first one, 8 times
        (3, 0.5, [0] * 8),
        (1, 0.0, [0] * 8),
    ],
)
def test_fixed_frames_by_hand(num_frames, place, expected):
    assert fixed_tsn_indices(num_frames, 8, place).tolist() == expected


@pytest.mark.parametrize(
    'num_frames, expected',
    [
        (24, [2, 5, 8, 11, 14, 17, 20, 23]),
        (31, [2, 5, 8, 11, 14, 17, 20, 23]),  # 7 frames at the end are never seen
        (15, [0, 1, 2, 3, 4, 5, 6, 7]),
        (8, [0, 1, 2, 3, 4, 5, 6, 7]),  # here training moves, and the test stands still
        (7, [0] * 8),
        (1, [0] * 8),
    ],
)
def test_latest_random_frames_by_hand(num_frames, expected):
    assert random_tsn_indices(num_frames, 8, Highest).tolist() == expected


@given(frames, segments, st.integers(0, 2**32 - 1))
def test_random_frames_lie_in_segments_of_whole_frames(num_frames, num_segments, seed):
    found = random_tsn_indices(num_frames, num_segments, np.random.RandomState(seed))
    length = num_frames // num_segments
    assert found.shape == (num_segments,) and found.dtype == np.int64
    assert (found // max(length, 1) == (np.arange(num_segments) if length else 0)).all()


@given(frames, segments)
def test_fixed_frames_lie_in_their_segments(num_frames, num_segments):
    found = fixed_tsn_indices(num_frames, num_segments)
    assert found.shape == (num_segments,) and found.dtype == np.int64
    if num_frames > num_segments:
        tick = num_frames / num_segments
        centres = np.arange(num_segments) * tick + tick / 2
        assert (found <= centres).all() and (centres - found < 1).all()
        assert (np.diff(found) > 0).all() and found[-1] < num_frames


def test_random_frames_cover_a_segment_evenly():
    rng = np.random.RandomState(0)
    drawn = np.array([random_tsn_indices(12, 4, rng) for _ in range(3000)])
    for segment in range(4):
        counts = np.bincount(drawn[:, segment] - 3 * segment, minlength=3)
        assert (np.abs(counts - 1000) < 120).all()  # more than four standard deviations


def test_transform_counts_from_the_first_frame_and_puts_clips_behind_one_another():
    sample = SampleTSNSegments(4, test_mode=True, num_clips=2)
    found = sample(dict(total_frames=16, start_index=1))
    assert found['frame_inds'].tolist() == [3, 7, 11, 15, 1, 5, 9, 13]
    assert (found['clip_len'], found['num_clips']) == (4, 2)


@pytest.mark.parametrize(
    'num_frames, centres, starts',
    [
        (8, [0, 1, 2, 3, 4, 5, 6, 7], [0, 1, 2, 3, 4, 5, 6, 7]),
        (4, [0, 0, 1, 1, 2, 2, 3, 3], [0, 0, 1, 1, 2, 2, 3, 3]),
        (7, [0, 1, 2, 3, 3, 4, 5, 6], [0, 0, 1, 2, 3, 4, 5, 6]),  # tick = 0.875
        (1, [0] * 8, [0] * 8),
    ],
)
def test_two_clips_of_a_short_video_move(num_frames, centres, starts):
    sample = SampleTSNSegments(8, test_mode=True, num_clips=2)
    found = sample(dict(total_frames=num_frames))['frame_inds']
    assert found.tolist() == centres + starts
    still = SampleTSNSegments(8, test_mode=True)(dict(total_frames=num_frames))['frame_inds']
    assert still.tolist() == [0] * 8


@given(frames, segments)
def test_two_clips_follow_the_formulas_in_videos_of_any_length(num_frames, num_segments):
    found = SampleTSNSegments(num_segments, test_mode=True, num_clips=2)(
        dict(total_frames=num_frames)
    )['frame_inds']
    tick = num_frames / float(num_segments)
    assert found.tolist() == [int(tick / 2.0 + tick * x) for x in range(num_segments)] + [
        int(tick * x) for x in range(num_segments)
    ]
    assert found.min() >= 0 and found.max() < num_frames


def test_transform_draws_in_training():
    np.random.seed(0)
    sample = SampleTSNSegments(8)
    drawn = {tuple(sample(dict(total_frames=80))['frame_inds']) for _ in range(5)}
    assert len(drawn) == 5 and 'test_mode=False' in repr(sample)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(num_segments=0), 'num_segments must be at least 1, got 0'),
        (dict(num_segments=8, num_clips=2), 'got 2'),
        (dict(num_segments=8, num_clips=3, test_mode=True), 'got 3'),
        (dict(num_segments=8, num_clips=0, test_mode=True, random_clips=True), 'got 0'),
        (dict(num_segments=8, consecutive=0), 'consecutive must be at least 1, got 0'),
    ],
)
def test_errors_name_the_value(options, message):
    with pytest.raises(InputError, match=message):
        SampleTSNSegments(**options)


def test_video_without_frames_is_named():
    with pytest.raises(InputError, match=r'gone\.mp4: the video holds no frame'):
        SampleTSNSegments(8)(dict(total_frames=0, filename='gone.mp4'))


@pytest.mark.parametrize(
    'num_frames, expected',
    [
        (28, [1, 4, 7, 10, 13, 16, 19, 22]),  # tick = 3
        (36, [2, 6, 10, 14, 18, 22, 26, 30]),
        (13, [0, 1, 2, 3, 5, 6, 7, 8]),
        (12, [0] * 8),  # as many places as segments
        (3, [0] * 8),
    ],
)
def test_fixed_rows_of_five_by_hand(num_frames, expected):
    found = SampleTSNSegments(8, test_mode=True, consecutive=5)(dict(total_frames=num_frames))
    rows = found['frame_inds'].reshape(8, 5)
    assert rows[:, 0].tolist() == expected
    assert (rows == np.minimum(rows[:, :1] + np.arange(5), num_frames - 1)).all()
    assert (found['clip_len'], found['num_clips']) == (8, 1)


@given(frames, segments, st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_random_rows_as_the_code_of_tdn_draws_them(num_frames, num_segments, row, seed):
    found = random_tsn_indices(num_frames, num_segments, np.random.RandomState(seed), row)
    rng, places = np.random.RandomState(seed), num_frames - (row - 1)
    length = places // num_segments
    if length > 0:
        expected = [i * length for i in range(num_segments)]
        expected += rng.randint(length, size=num_segments)
    elif num_frames > num_segments and places > 0:
        expected = np.sort(rng.randint(places, size=num_segments))
    else:
        expected = [0] * num_segments
    assert found.tolist() == list(expected) and found.dtype == np.int64


def test_random_clips_of_a_test_differ_and_can_be_drawn_again():
    sample = SampleTSNSegments(4, test_mode=True, num_clips=10, consecutive=5, random_clips=True)
    found = sample(dict(total_frames=120, start_index=1))['frame_inds']
    np.random.rand()
    assert found.tolist() == sample(dict(total_frames=120, start_index=1))['frame_inds'].tolist()
    clips = found.reshape(10, 4, 5)
    assert len({tuple(clip.ravel()) for clip in clips}) == 10
    assert ((clips[:, :, 0] - 1) // 29 == np.arange(4)).all()  # 116 places, 29 of each segment


def run_from_decoded(pipeline, label=0, size=(120, 160)):
    """The steps behind decoding, on frames whose left half is dark."""
    frame = np.zeros((*size, 3), np.uint8)
    frame[:, size[1] // 2 :] = 200
    start = [step['type'] for step in pipeline].index('NamedRawFrameDecode') + 1
    with DefaultScope.overwrite_default_scope('mmaction'):
        steps = Compose(pipeline[start:])
    return steps(
        dict(
            imgs=[frame] * 2,
            img_shape=size,
            original_shape=size,
            label=label,
            modality='RGB',
            num_clips=1,
            clip_len=2,
            frame_dir='x',
        )
    )


def test_frames_are_distorted_to_240x320_and_cropped():
    packed = run_from_decoded(tsn_test(2, 'rawframes'), size=(100, 400))
    assert packed['inputs'].shape == (2, 3, 224, 224)
    (edge,) = np.unique(np.argmax(packed['inputs'][0, 0].numpy() > 100, axis=1))
    assert edge == 112  # the whole width was squeezed into 320 columns


@pytest.mark.parametrize(
    'something, label, mirrored',
    [(True, 86, False), (True, 167, False), (True, 0, True), (False, 86, True)],
)
def test_sided_classes_are_never_flipped(something, label, mirrored):
    pipeline = tsn_train(2, 'rawframes', something=something)
    np.random.seed(0)
    random.seed(0)
    seen = [run_from_decoded(pipeline, label)['inputs'][0, 0].numpy() for _ in range(20)]
    assert any(image[0, 0] > image[0, -1] for image in seen) == mirrored
    assert {image.shape for image in seen} == {(224, 224)}


@pytest.mark.parametrize(
    'pipeline, label, labels, mirrored',
    [
        (segments_train(2, 'rawframes'), 86, {86}, False),  # TEA
        (segments_train(2, 'rawframes', swapping_flip()), 86, {86, 87}, True),  # TDN
        (segments_train(2, 'rawframes', swapping_flip()), 0, {0}, True),
    ],
)
def test_flips_of_tea_and_tdn(pipeline, label, labels, mirrored):
    np.random.seed(0)
    random.seed(0)
    seen = [run_from_decoded(pipeline, label) for _ in range(20)]
    found = {
        (int(each['data_samples'].gt_label), bool(image[0, 0] > image[0, -1]))
        for each in seen
        if (image := each['inputs'][0, 0].numpy()).shape == (224, 224)
    }
    assert {own for own, _ in found} == labels
    assert any(flipped for _, flipped in found) == mirrored
    if len(labels) == 2:
        assert found == {(86, False), (87, True)}


@pytest.mark.parametrize('views, shape', [(False, (1, 15, 224, 224)), (True, (3, 15, 256, 256))])
def test_images_of_tdns_tests(views, shape):
    """Of one row of five frames of 120 x 160 that grow brighter by 10."""
    pipeline = segments_test(1, 'rawframes', views, consecutive=5)
    sampling = next(step for step in pipeline if step['type'] == 'SampleTSNSegments')
    assert sampling['num_clips'] == (10 if views else 1)
    start = [step['type'] for step in pipeline].index('NamedRawFrameDecode') + 1
    with DefaultScope.overwrite_default_scope('mmaction'):
        steps = Compose(pipeline[start:])
    images = [np.full((120, 160, 3), 10 * i, np.uint8) + np.uint8([0, 1, 2]) for i in range(5)]
    packed = steps(
        dict(
            imgs=images,
            img_shape=(120, 160),
            original_shape=(120, 160),
            label=0,
            modality='RGB',
            num_clips=1,
            clip_len=1,
            frame_dir='x',
        )
    )
    assert packed['inputs'].shape == shape
    expected = [10 * frame + colour for frame in range(5) for colour in range(3)]
    assert packed['inputs'][0, :, 100, 100].tolist() == expected


def test_cross_pipelines_have_other_frames_and_the_same_images():
    ours, theirs = cross_train(13, 'NCTHW', 224), tsn_train(13, 'rawframes', something=True)
    assert [step['type'] for step in ours if step not in theirs] == [
        'SampleSegments',
        'FormatShape',
    ]
    assert len(ours) == len(theirs)
    small = {step['type']: step for step in cross_train(13, 'NCTHW', 160)}
    assert small['MultiScaleCrop']['input_size'] == 160 and small['Resize']['scale'] == (160, 160)
    test = {step['type']: step for step in cross_test(13, 'NCTHW', 160)}
    assert test['SampleSegments'] == dict(type='SampleSegments', num_segments=13, test_mode=True)
    assert test['Resize']['scale'] == (229, 171) and test['CenterCrop']['crop_size'] == 160


@pytest.mark.parametrize(
    'media, expected',
    [
        (
            'rawframes',
            dict(
                type='GuardedRawframeDataset',
                data_prefix=dict(img='data/x/rawframes'),
                filename_tmpl='{:05}.jpg',
            ),
        ),
        (
            'videos',
            dict(
                type='GuardedVideoDataset', data_prefix=dict(video='data/x/videos'), delimiter='\t'
            ),
        ),
    ],
)
def test_training_loader_reads_what_prepare_data_writes(media, expected):
    loader = training_loader(media, 'data/x', [], 8, 'list.txt')
    assert loader['dataset'] == dict(expected, ann_file='data/x/list.txt', pipeline=[])
    assert loader['batch_size'] == 8 and loader['sampler']['shuffle']
