from fractions import Fraction
from types import SimpleNamespace

import pytest

from mmaction_ext.errors import InputError
from mmaction_ext.tables.cells import CellStatus, SeedResult
from mmaction_ext.tables.seed_cells import (
    cells_difference,
    difference_cell,
    mean_result,
    minus,
    seeds_cell,
)
from mmaction_ext.tables.spec import Column

TOP1 = Column('top1', 'Top-1', 'test/acc/top1', scale=100, fmt='.2f', best='max')
DELTA = Column('delta', 'Delta', 'top1', fmt='+.1f', relative_to='reference')


def results(name, *values, imported=False):
    """A seed without a value has no run."""
    return [
        SeedResult(i, CellStatus.MISSING, reason='no run')
        if value is None
        else SeedResult(
            i, CellStatus.OK, Fraction(repr(value)), runs=(f'{name}{i}',), imported=imported
        )
        for i, value in enumerate(values)
    ]


def test_differences_of_shared_seeds_are_paired():
    cell = difference_cell(results('a', 8, 9, None, 5), results('b', 2, 1, 7, None), DELTA)
    assert (cell.text, cell.status) == ('+7.0 ± 1.4 (2/4)', CellStatus.PARTIAL)
    assert not cell.unpaired and 'means' not in cell.note


def test_means_of_rows_that_share_too_few_seeds_by_hand():
    """12 - 2; variances of 1, error² 2/3, 4 degrees, t = 2.776, so 10 ± 2.267."""
    cell = difference_cell(
        results('a', 11, 12, 13, None, None, None), results('b', None, None, None, 1, 2, 3), DELTA
    )
    assert (cell.text, cell.status) == ('+10.0 [+7.7, +12.3] (0/6 paired)', CellStatus.PARTIAL)
    assert (cell.value, cell.std, cell.n, cell.unpaired) == (10, None, 0, True)
    assert cell.note == (
        'seeds 0, 1, 2 missing: of the reference row: no run; seeds 3, 4, 5 missing: no run; '
        'difference of the means over seeds 0, 1, 2 and, of the reference row, seeds 3, 4, 5, '
        'with Welch’s interval'
    )
    assert cell.runs == ('a0', 'a1', 'a2', 'b3', 'b4', 'b5')


def test_no_interval_from_fewer_than_three_seeds_of_a_row():
    """(8 + 9) / 2 - (1 + 2) / 2; one seed is shared, which is too few for a spread."""
    cell = difference_cell(results('a', 8, 9, None), results('b', None, 1, 2), DELTA)
    assert (cell.text, cell.interval) == ('+7.0 (1/3 paired)', None)
    assert cell.note.endswith('over seeds 0, 1 and, of the reference row, seeds 1, 2')
    assert cell.runs == ('a0', 'b1', 'a1', 'b2')


@pytest.mark.parametrize('values', [(8, 9), (8, 9, None)])
def test_a_run_of_both_rows_is_named_once(values):
    """Paired and, seed 1 alone being shared, not paired."""
    cell = difference_cell(results('a', *values), results('a', *reversed(values)), DELTA)
    assert cell.unpaired == (len(values) == 3)
    assert [len(seed.runs) for seed in cell.seeds] == [1] * len(values)


@pytest.mark.parametrize(
    'mine, reference, text',
    [
        ((8, None, None), (None, 1, 2), 'missing'),
        ((8, 9, None), (None, 1, None), '+8.0 (1/3)'),
        ((None, None), (1, 2), 'missing'),
    ],
)
def test_one_seed_has_no_mean(mine, reference, text):
    cell = difference_cell(results('a', *mine), results('b', *reference), DELTA)
    assert (cell.text, cell.unpaired) == (text, False)


def test_imported_numbers_say_so_unpaired_too():
    cell = difference_cell(
        results('a', 8, 9, None, None), results('b', None, None, 1, 2, imported=True), DELTA
    )
    assert (cell.text, cell.status) == ('+7.0 (0/4 paired)', CellStatus.IMPORTED)
    assert cell.statuses == {CellStatus.IMPORTED, CellStatus.PARTIAL}


@pytest.mark.parametrize('mine, theirs', [(True, False), (False, True), (True, True)])
def test_a_difference_to_an_imported_number_is_imported(mine, theirs):
    cell = difference_cell(
        results('a', 8, 9, imported=mine), results('b', 1, 2, imported=theirs), DELTA
    )
    assert (cell.text, cell.status) == ('+7.0 ± 0.0', CellStatus.IMPORTED)
    [result, _], [other, _] = (
        results('a', 8, 9, imported=mine),
        results('b', 1, 2, imported=theirs),
    )
    assert minus(result, other).imported
    rows = [SimpleNamespace(label=name) for name in 'ab']
    assert mean_result(rows, [result, other]).imported


def test_a_difference_of_own_numbers_is_not_imported():
    [mine], [reference] = results('a', 8), results('b', 1)
    found = minus(mine, reference)
    assert (found.value, found.imported, found.runs) == (7, False, ('b0', 'a0'))


def test_cells_are_compared_over_the_seeds_that_both_have():
    """12 - 7, 14 - 8 and 16 - 9; error 1 / sqrt(3), t = 4.303."""
    cells = [
        seeds_cell(results('a', 12, 14, 16, 99), TOP1),
        seeds_cell(results('b', 7, 8, 9), TOP1),
    ]
    cell = cells_difference(cells[0], TOP1, cells[1], TOP1)
    assert (cell.text, cell.n) == ('+6.00 ± 1.00 [+3.52, +8.48]', 3)
    assert cells_difference(cells[1], TOP1, cells[0], TOP1).value == -6


@pytest.mark.parametrize(
    'values, column, message',
    [
        ((None, None, 1), TOP1, 'share no seed or fold with a number'),
        ((1, 2, 3), Column('loss', 'Loss', 'test/loss'), 'are in different units'),
    ],
)
def test_cells_that_cannot_be_compared(values, column, message):
    mine = seeds_cell(results('a', 1, 2), TOP1)
    with pytest.raises(InputError, match=rf"^'top1' \(1.50 ± 0.71\) and .*{message}"):
        cells_difference(mine, TOP1, seeds_cell(results('b', *values), column), column)
