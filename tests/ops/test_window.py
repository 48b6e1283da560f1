"""The order and the size of windows."""

import pytest

from mmaction_ext.errors import InputError
from mmaction_ext.ops.window import window_displacements, window_sides, window_spans


@pytest.mark.parametrize('window, expected', [(5, (5, 5)), ((3, 7), (3, 7)), ([9, 1], (9, 1))])
def test_sides(window, expected):
    assert window_sides(window) == expected


@pytest.mark.parametrize('window', [0, 4, -5, (3, 2), (0, 3), (3, 3, 3), (), (5,)])
def test_a_bad_window_is_named(window):
    with pytest.raises(InputError) as error:
        window_sides(window)
    assert str(error.value).endswith(f'got {window}')


def test_spans():
    assert window_spans((3, 5), 1) == ([-1, 0, 1], [-2, -1, 0, 1, 2])
    assert window_spans((1, 3), 2) == ([0], [-2, 0, 2])


def test_displacements_go_by_rows():
    assert window_displacements((3, 3), 2) == [(-2, -2), (-2, 0), (-2, 2), (0, -2), (0, 0),
                                               (0, 2), (2, -2), (2, 0), (2, 2)]
    assert window_displacements((1, 3), 1) == [(0, -1), (0, 0), (0, 1)]
