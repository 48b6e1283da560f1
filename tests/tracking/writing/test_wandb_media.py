"""Rows of the class and confusion tables, and clips small enough for a browser."""

import io

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mmaction_ext.errors import InputError
from mmaction_ext.evaluation.classes import predicted_classes
from mmaction_ext.tracking.writing.wandb_media import (
    MediaOptions,
    caption,
    choose_clips,
    class_rows,
    confusion_rows,
    encode_clip,
)

NAMES = {0: 'left', 1: 'right'}


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(-1, 6)), min_size=1, max_size=60))
def test_confusion_cells_are_those_of_the_matrix(pairs):
    labels, predicted = np.array(pairs).T
    matrix = np.zeros((7, 8), int)
    np.add.at(matrix, (labels, predicted + 1), 1)
    rows = confusion_rows(labels, predicted, NAMES)
    found = np.zeros_like(matrix)
    for true, guess, count, *_ in rows:
        found[true, guess + 1] = count
    assert (found == matrix).all() and len(rows) == np.count_nonzero(matrix)


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(-1, 6)), min_size=1, max_size=60))
def test_class_rows_add_up_to_the_accuracy(pairs):
    labels, predicted = np.array(pairs).T
    rows = class_rows(labels, predicted, NAMES)
    assert [row[0] for row in rows] == sorted(set(labels.tolist()))
    assert sum(row[2] for row in rows) == len(labels)
    assert sum(row[3] for row in rows) == (labels == predicted).sum()
    assert all(row[4] == row[3] / row[2] for row in rows)


def test_names_stand_where_they_are_known():
    labels, predicted = np.array([0, 0, 5]), np.array([1, -1, 5])
    assert class_rows(labels, predicted, NAMES) == [[0, 'left', 2, 0, 0.0], [5, '5', 1, 1, 1.0]]
    assert confusion_rows(labels, predicted, NAMES) == [
        [0, -1, 1, 'left', 'not a number'],
        [0, 1, 1, 'left', 'right'],
        [5, 5, 1, '5', '5'],
    ]


def test_scores_that_are_not_numbers_predict_nothing():
    scores = np.array([[0.1, 0.9], [np.nan, 1], [1, np.nan], [0.6, 0.4]], np.float32)
    assert predicted_classes(scores).tolist() == [1, -1, -1, 0]
    assert caption('test/1.mp4', 0, 1, scores[0], NAMES) == (
        'test/1.mp4: is left, predicted right (0.90)'
    )
    assert caption('test/1.mp4', 7, -1, scores[1], NAMES) == (
        'test/1.mp4: is 7, predicted not a number'
    )


@given(st.integers(1, 1000), st.integers(0, 64))
def test_clips_are_spread_over_the_test_set(samples, clips):
    places = choose_clips(samples, clips)
    assert len(places) == min(samples, clips) == len(set(places))
    assert all(0 <= place < samples for place in places)
    if len(places) > 1:
        assert (places[0], places[-1]) == (0, samples - 1)


def frames(count=40, height=90, width=121):
    clip = np.zeros((count, height, width, 3), np.uint8)
    clip[..., 0] = np.arange(count)[:, None, None] * 6  # tells a frame's place
    return clip


def test_gif_is_thinned_and_shrunk():
    data = encode_clip(frames(), MediaOptions(frames=8, size=60))
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.n_frames) == ('GIF', 8)
        assert image.size == (60, 45)
        reds = []
        for place in range(8):
            image.seek(place)
            reds.append(image.convert('RGB').getpixel((5, 5))[0])
    assert reds == [6 * round(place) for place in np.linspace(0, 39, 8)]


def test_mp4_has_an_even_size():
    data = encode_clip(frames(), MediaOptions(frames=5, size=61, format='mp4'))
    with av.open(io.BytesIO(data)) as container:
        shapes = [(frame.width, frame.height) for frame in container.decode(video=0)]
    assert shapes == [(62, 46)] * 5


def test_short_and_small_clips_stay_as_they_are():
    data = encode_clip(frames(3, 20, 30), MediaOptions())
    with Image.open(io.BytesIO(data)) as image:
        assert (image.n_frames, image.size) == (3, (30, 20))


@pytest.mark.parametrize(
    'options, named',
    [
        (dict(clip=3), 'clip'),
        (dict(clips=-1), '-1'),
        (dict(clips=65), '65'),
        (dict(frames=0), '0'),
        (dict(size=4000), '4000'),
        (dict(format='avi'), 'avi'),
        (dict(clips=2.5), '2.5'),
    ],
)
def test_impossible_options_are_refused(options, named):
    with pytest.raises(InputError, match=named):
        MediaOptions.from_dict(options)


def test_options_have_defaults():
    assert MediaOptions.from_dict(dict(clips=0)) == MediaOptions(clips=0)
