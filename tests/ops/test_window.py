"""The order and the size of windows."""

import numpy as np
import pytest

from mmaction_ext.errors import InputError
from mmaction_ext.ops.window import window_displacements, window_sides, window_spans


@pytest.mark.parametrize(
    'window, expected',
    [
        (5, (5, 5)),
        ((3, 7), (3, 7)),
        ([9, 1], (9, 1)),
        (np.int64(5), (5, 5)),
        (np.array([3, 5]), (3, 5)),
    ],
)
def test_sides(window, expected):
    sides = window_sides(window)
    assert sides == expected
    assert all(type(side) is int for side in sides)


@pytest.mark.parametrize(
    'window',
    [
        0,
        4,
        -5,
        (3, 2),
        (0, 3),
        (3, 3, 3),
        (),
        (5,),
        5.0,
        (3, 5.0),
        '5',
        '35',
        ('3', '5'),
        None,
        {3: 5, 5: 7},
    ],
)
def test_a_bad_window_is_named(window):
    with pytest.raises(InputError) as error:
        window_sides(window)
    assert str(error.value).endswith(f'got {window!r}')


def test_minimum():
    assert window_sides(3, minimum=3) == (3, 3)
    with pytest.raises(InputError, match=r'at least 3, got \(1, 3\)'):
        window_sides((1, 3), minimum=3)


def test_spans():
    assert window_spans((3, 5), 1) == ([-1, 0, 1], [-2, -1, 0, 1, 2])
    assert window_spans((1, 3), 2) == ([0], [-2, 0, 2])


def test_displacements_go_by_rows():
    assert window_displacements((3, 3), 2) == [
        (-2, -2),
        (-2, 0),
        (-2, 2),
        (0, -2),
        (0, 0),
        (0, 2),
        (2, -2),
        (2, 0),
        (2, 2),
    ]
    assert window_displacements((1, 3), 1) == [(0, -1), (0, 0), (0, 1)]
