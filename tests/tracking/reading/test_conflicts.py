"""What counts as a disagreement, and how it is put into words."""

import math

import pytest

from mmaction_ext.tracking.reading.conflicts import Conflicts, same


@pytest.mark.parametrize(
    'one, other, expected',
    [
        (1.0, 1 + 9e-7, True),
        (1.0, 1 + 2e-6, False),
        (1e-9, 1.002e-9, False),
        (-1.0, 1.0, False),
        (0.0, 1e-300, False),
        (0.751, 0.75, False),
        (3, 3.0, True),
        (math.nan, math.nan, True),
        (math.nan, 1.0, False),
        (math.inf, math.inf, True),
        (math.inf, -math.inf, False),
        (10**400, 1.0, False),
        (10**400, 10**400, True),
        ('a', 'a', True),
        ('1', 1, False),
        ([1.0, 'x'], [1 + 1e-9, 'x'], True),
        ([1.0], [1.0, 2.0], False),
        ([1.0], [1.01], False),
        (None, 0, False),
    ],
)
def test_values_are_the_same_up_to_rounding(one, other, expected):
    assert same(one, other) is same(other, one) is expected


def compared(row, *told, **options):
    conflicts = Conflicts()
    conflicts.compare(
        row, [(each, f'source {place}') for place, each in enumerate(told)], 'new', **options
    )
    return conflicts.texts()


def test_one_source_that_agrees_is_enough():
    row = {'iter': 4, 'a': 1.0, 'b': 2.0, 'only here': 3.0}
    assert compared(row) == compared(row, {'iter': 4, 'a': 1.5, 'b': 2.0}, row) == ()
    assert compared(row, {'iter': 4, 'a': 1.5}, {'iter': 4, 'a': 1.0, 'b': 2.0}) == ()
    assert compared(row, {'iter': 4, 'a': 1.5}, {'iter': 4, 'a': 7.0, 'b': 3.0}) == (
        'a at iteration 4: 1.0 (new) against 1.5 (source 0)',
        'b at iteration 4: 2.0 (new) against 3.0 (source 1)',
    )


def test_times_differ_between_repetitions_and_not_between_copies():
    row, other = (
        {'iter': 1, **dict.fromkeys(('train/time', 'memory', 'val/data_time'), value)}
        for value in (1, 2)
    )
    assert len(compared(row, other)) == 3 and compared(row, other, timings=False) == ()
    assert (
        len(compared({'iter': 1, 'time/loss': 1}, {'iter': 1, 'time/loss': 2}, timings=False)) == 1
    )


def test_disagreements_of_one_kind_are_told_once_with_their_number():
    conflicts = Conflicts()
    for number in (3, 1, 2):
        conflicts.add(f'x at iteration {number}', 'x', (1, 'a'), (2, 'b'))
    conflicts.add('x', 'x', (1, 'b'), ('y' * 100, 'a'))
    assert conflicts.texts() == (
        'x at iteration 3: 1 (a) against 2 (b), and so 2 more times',
        f"x: 1 (b) against '{'y' * 76}... (a)",
    )
