"""Work that is spread over processes, one of which may die."""

import os

import pytest

from mmaction_ext.datasets.processes import all_processors, locked, map_surviving
from mmaction_ext.errors import InputError


def square_or_die(number):
    if number == 13:
        os.abort()
    return number**2


def raise_error(number):
    raise KeyError(number)


def test_in_this_process():
    assert list(map_surviving(square_or_die, [3, 1, 2], 0)) == [(3, 9), (1, 1), (2, 4)]


@pytest.mark.slow
def test_task_that_kills_its_process_is_known_and_costs_no_other():
    tasks = [*range(30), 13]
    results = list(map_surviving(square_or_die, tasks, 2))
    assert sorted(task for task, _ in results) == sorted(tasks)
    assert all(result == (None if task == 13 else task**2) for task, result in results)


@pytest.mark.slow
def test_errors_of_a_task_are_passed_on():
    with pytest.raises(KeyError, match='7'):
        list(map_surviving(raise_error, [7], 1))


def test_lock_keeps_a_second_one_out(tmp_path):
    with locked(tmp_path), pytest.raises(InputError, match='another process is making this'):
        with locked(tmp_path):
            pass
    with locked(tmp_path):
        pass


def test_there_is_a_processor():
    assert 1 <= all_processors() <= os.cpu_count()
