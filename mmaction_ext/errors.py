"""The error that tools show as one sentence instead of a traceback."""

import difflib
import math
import operator
import os
import signal
import sys
from collections.abc import Iterable
from numbers import Integral, Real
from typing import Any

from mmaction_ext.printable import clean


class InputError(ValueError):
    """What the user gave cannot be used; the message names the value and the file."""

    #: of a tool that ends with it
    exit_code = 2

    def sentence(self) -> str:
        """The message alone, also when a loader process has wrapped it in its traceback."""
        text = str(self).strip()
        if not text.startswith('Caught '):
            return text
        name = f'{type(self).__module__}.{type(self).__name__}: '
        return text.splitlines()[-1].removeprefix(name)

    def exit(self, every_rank: bool = False) -> int:
        """Say the sentence on standard error; returns :attr:`exit_code`.

        Args:
            every_rank: whether the processes of a run may fail for different reasons. If not,
                only the first one speaks.
        """
        rank = os.environ.get('RANK', '0')
        if rank == '0' or every_rank:
            where = f'rank {rank}: ' if rank != '0' else ''
            print(f'error: {where}{clean(self.sentence())}', file=sys.stderr)
        return self.exit_code


class Diverged(InputError):
    """The numbers of a training are no longer finite; the message begins with :attr:`words`."""

    exit_code = 3
    words = 'training diverged: '

    def __init__(self, reason: str) -> None:
        super().__init__(self.words + reason)


class Preempted(SystemExit):
    """A warning that the job is about to be ended has stopped the program.

    Args:
        signum: The signal that brought it.
        where: What the program stopped at, and what goes on from there.
    """

    #: ``EX_TEMPFAIL`` of sysexits.h: start it again
    exit_code = 75

    def __init__(self, signum: int, where: str) -> None:
        super().__init__(self.exit_code)
        self.signal = signal.Signals(signum).name
        self.where = where

    def __str__(self) -> str:
        return f'stopped on {self.signal} {self.where}'


def last_line(error: BaseException) -> str:
    """What an exception says at the end, where libraries put the reason."""
    text = str(error).strip()
    return text.splitlines()[-1] if text else type(error).__name__


def did_you_mean(name: object, known: Iterable[object]) -> str:
    """The end of a sentence about an unknown name: which of the known ones may be meant.

    >>> did_you_mean('fulll', ['full', 'baseline'])
    '; did you mean full?'
    """
    names = {str(each).lower(): each for each in known}
    near = difflib.get_close_matches(str(name).lower(), names, n=1)
    return f'; did you mean {names[near[0]]}?' if near else ''


def check_choice(name: str, value: Any, choices: Iterable[Any]) -> None:
    """Refuse an argument that is none of a few values.

    Raises:
        InputError: With the argument's name, the choices and the value.
    """
    choices = tuple(choices)
    if value not in choices:
        raise InputError(f'{name} must be one of {choices}, got {value!r}')


def check_at_least(name: str, value: int, least: int) -> None:
    """Refuse a number that is too small, or not whole.

    Raises:
        InputError: With the argument's name, the limit and the value.
    """
    if not isinstance(value, Integral):
        raise InputError(f'{name} must be a whole number, got {value!r}')
    if value < least:
        raise InputError(f'{name} must be at least {least}, got {value!r}')


def check_positive(name: str, value: float) -> None:
    """Refuse what is no finite number above zero.

    Raises:
        InputError: With the argument's name and the value.
    """
    if not isinstance(value, Real) or not 0 < value < math.inf:
        raise InputError(f'{name} must be positive, got {value!r}')


def check_seed(seed: Any) -> None:
    """Refuse what no generator of random numbers takes.

    Raises:
        InputError: with the value.
    """
    if not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise InputError(
            f'the seed must be a whole number between 0 and 2**32 - 1, got {str(seed)[:80]!r}'
        )


def whole_numbers(name: str, values: Iterable[int]) -> tuple[int, ...]:
    """The values as ints, NumPy's among them; refuses what would have to be rounded or read.

    Raises:
        InputError: With the argument's name and the values.
    """
    try:
        return tuple(operator.index(value) for value in values)
    except TypeError:
        raise InputError(f'{name} must be a sequence of whole numbers, got {values!r}') from None


def odd_sides(name: str, values: Iterable[int]) -> tuple[int, int, int]:
    """The sides (frames, rows, columns) of a kernel or neighbourhood that has a middle.

    Raises:
        InputError: Unless they are three odd whole numbers from 1 on.
    """
    sides = whole_numbers(name, values)
    if len(sides) != 3 or any(side < 1 or side % 2 == 0 for side in sides):
        raise InputError(f'{name} must be three odd sides, at least 1, got {sides!r}')
    return sides[0], sides[1], sides[2]
