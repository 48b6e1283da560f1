import itertools

import hypothesis.strategies as st
import pytest
from hypothesis import given

from mmaction_ext.tracking.reading.rows import EvenSample, by_place, flat, project, stitch, thin


@given(st.integers(2, 12), st.integers(0, 400))
def test_even_sample(limit, length):
    sample = EvenSample(limit)
    for item in range(length):
        sample.add(item)
    kept = sample.items()
    assert len(kept) <= limit
    if length <= limit:
        assert kept == list(range(length))
        return
    assert (kept[0], kept[-1]) == (0, length - 1) and len(kept) >= limit // 2
    steps = {after - before for before, after in itertools.pairwise(kept[:-1])}
    assert len(steps) <= 1, 'all distances but the last are the same'


def test_thin_keeps_the_last_row_with_each_metric():
    rows = [{'iter': i, 'train/loss': i} for i in range(1, 5001)]
    rows[2500:2500] = [{'iter': 2500, 'train/replaced_samples': 1}]
    rows.append({'iter': 5000, 'train/replaced_samples': 2})
    kept = thin(rows)
    assert [row for row in kept if 'train/replaced_samples' in row] == [rows[2500], rows[-1]]
    losses = [row for row in kept if 'train/loss' in row]
    assert (losses[0], losses[-1]) == (rows[0], rows[-2]) and 500 <= len(losses) <= 1000
    assert [row['iter'] for row in kept] == sorted(row['iter'] for row in kept)


def test_parts_of_one_evaluation_are_joined_and_repetitions_are_not():
    rows = [
        {'iter': 4, 'test/acc': 1},
        {'iter': 4, 'test/table.path': 'x'},
        {'iter': 4, 'test/acc': 2},
        {'iter': 8, 'test/acc': 3},
    ]
    assert by_place(rows) == {
        (4, 0): {'iter': 4, 'test/acc': 1, 'test/table.path': 'x'},
        (4, 1): {'iter': 4, 'test/acc': 2},
        (8, 0): {'iter': 8, 'test/acc': 3},
    }


def test_project():
    rows = [{'iter': 1, 'epoch': 1, 'a/b': 2, 'a/c': 3}, {'iter': 2, 'a/c': 3}]
    assert project(rows, {'a/b'}) == [{'iter': 1, 'epoch': 1, 'a/b': 2}]
    assert project(rows, None) == rows


def test_flat():
    assert flat({'a': 1, 'b': {'c': 2, 'd': {'e': [3]}}}) == {'a': 1, 'b.c': 2, 'b.d.e': [3]}


def curve(iterations, phase='train', value='old'):
    """Rows of one metric, which say what wrote them."""
    return [{'iter': i, f'{phase}/x': value} for i in iterations]


@given(st.integers(1, 40), st.integers(1, 9), st.booleans(), st.data())
def test_stitch_equals_the_uninterrupted_curve(length, interval, says_so, data):
    """However often a run dies and goes back to a checkpoint, with or without validation."""

    def rows(start, end, branch, validates=True):
        history = {
            'train': [{'iter': i, 'train/x': i, 'by': branch} for i in range(start + 1, end + 1)]
        }
        history['val'] = [
            {'iter': i, 'val/x': i, 'by': branch}
            for i in range(start + 1, end + 1)
            if validates and i % interval == 0
        ]
        return history

    attempts, done, origins = [], 0, {}
    while done < length:
        start = data.draw(st.integers(0, done))
        done = data.draw(st.integers(start, length)) if len(attempts) < 6 else length
        validates, branch = data.draw(st.booleans()), len(attempts)
        attempts.append((rows(start, done, branch, validates), start if says_so else None))
        if says_so or done > start:
            origins = {i: origin for i, origin in origins.items() if i <= start}
        origins.update(dict.fromkeys(range(start + 1, done + 1), (branch, validates)))
    joined = stitch(attempts)
    assert [(row['iter'], row['by']) for row in joined['train']] == [
        (i, origins[i][0]) for i in range(1, length + 1)
    ]
    assert [(row['iter'], row['by']) for row in joined['val']] == [
        (i, origins[i][0]) for i in range(1, length + 1) if i % interval == 0 and origins[i][1]
    ]


def test_stitch_takes_the_later_attempt():
    first = dict(train=curve((2, 4, 6, 8)), val=curve((4, 8), 'val'))
    second = dict(train=curve((5, 7), value='new'))
    assert stitch([(first, None), ({}, None), (second, None)]) == dict(
        train=[*curve((2, 4)), *curve((5, 7), value='new')], val=curve((4,), 'val')
    )


@pytest.mark.parametrize('rows', [{}, dict(val=curve((12,), 'val')), dict(train=curve((9,)))])
def test_attempt_cuts_where_it_went_on_though_it_logged_nothing_there(rows):
    first = dict(train=curve(range(1, 8)), val=curve((3, 6), 'val'))
    joined = stitch([(first, None), (rows, 5)])
    assert [row['iter'] for row in joined['train'] if row['iter'] < 8] == [1, 2, 3, 4, 5]
    assert joined['val'][0]['iter'] == 3 and 6 not in [row['iter'] for row in joined['val']]


def test_stitch_merges_rows_of_one_iteration():
    rows = dict(train=[{'iter': 1, 'a': 1}, {'iter': 1, 'b': 2}])
    assert stitch([(rows, None)]) == dict(train=[{'iter': 1, 'a': 1, 'b': 2}])


def test_stitch_drops_all_that_an_attempt_which_began_anew_found():
    first = dict(train=[{'iter': 0, 'a': 1}, {'iter': 1, 'a': 1}], val=[{'iter': 0, 'b': 1}])
    second = dict(train=[{'iter': 2, 'a': 2}])
    assert stitch([(first, None), (second, 0)]) == dict(train=second['train'], val=[])
