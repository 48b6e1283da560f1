"""What is refused, and how it is said."""

import math

import numpy as np
import pytest

from mmaction_ext.errors import (
    InputError,
    check_at_least,
    check_choice,
    check_positive,
    odd_sides,
    whole_numbers,
)


@pytest.mark.parametrize(
    'check, arguments, message',
    [
        (check_choice, ('b', ('a', 'c')), "size must be one of ('a', 'c'), got 'b'"),
        (check_choice, (3, ('a', 'c')), "size must be one of ('a', 'c'), got 3"),
        (check_at_least, (1, 2), 'size must be at least 2, got 1'),
        (check_at_least, (math.nan, 2), 'size must be a whole number, got nan'),
        (check_positive, (0,), 'size must be positive, got 0'),
        (check_positive, (-1.5,), 'size must be positive, got -1.5'),
        (check_positive, (math.nan,), 'size must be positive, got nan'),
        (whole_numbers, ((1, 1.5),), 'size must be a sequence of whole numbers, got (1, 1.5)'),
        (whole_numbers, ('12',), "size must be a sequence of whole numbers, got '12'"),
        (whole_numbers, (3,), 'size must be a sequence of whole numbers, got 3'),
        (odd_sides, (3,), 'size must be a sequence of whole numbers, got 3'),
        (odd_sides, ((3, 4, 3),), 'size must be three odd sides, at least 1, got (3, 4, 3)'),
        (odd_sides, ((3, 3),), 'size must be three odd sides, at least 1, got (3, 3)'),
    ],
)
def test_what_is_refused_is_named(check, arguments, message):
    with pytest.raises(InputError) as error:
        check('size', *arguments)
    assert str(error.value) == message


def test_what_is_right_passes():
    check_choice('size', 'c', iter('abc'))
    check_at_least('size', 2, 2)
    check_positive('size', 1e-9)


def test_whole_numbers():
    found = whole_numbers('size', np.array([3, -1]))
    assert found == (3, -1)
    assert all(type(value) is int for value in found)
    assert whole_numbers('size', range(3)) == (0, 1, 2)
    assert whole_numbers('size', ()) == ()


def test_names_in_a_message_move_no_cursor(capsys):
    assert InputError('no class \x1b[2J\x9b31mred\r\nerror: \u202egone\x07').exit() == 2
    assert capsys.readouterr().err == 'error: no class red error: gone\n'
