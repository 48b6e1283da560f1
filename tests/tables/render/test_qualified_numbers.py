"""A number that is partial and out of tolerance at once says both, imported or not."""

import csv
import io
import itertools
import json
from fractions import Fraction

import pytest

from mmaction_ext.tables.cells import CellStatus, SeedResult, Table, TableRow
from mmaction_ext.tables.notes import notes
from mmaction_ext.tables.published import PublishedEntry
from mmaction_ext.tables.render import RENDERERS
from mmaction_ext.tables.seed_cells import seeds_cell
from mmaction_ext.tables.spec import Column, Row, TableSpec

COLUMN = Column(
    'off', 'Off', 'top1', fmt='+.1f', relative_to='published.top1', tolerance=Fraction(1, 2)
)
LEGEND = {
    CellStatus.PARTIAL: '(n/N): n of N seeds count',
    CellStatus.OUT_OF_TOLERANCE: 'out of tolerance: the difference',
}


def seed(number, value, imported):
    """What one seed gave; it failed where there is no value."""
    if value is None:
        return SeedResult(number, CellStatus.FAILED, reason='why')
    return SeedResult(
        number, CellStatus.OK, Fraction(value), runs=(f'r{number}',), imported=imported
    )


def table_of(holding):
    """A table of one cell of which some statuses hold."""
    value = '0.7' if CellStatus.OUT_OF_TOLERANCE in holding else '0.3'
    last = None if CellStatus.PARTIAL in holding else value
    imported = CellStatus.IMPORTED in holding
    cell = seeds_cell([seed(0, value, imported), seed(1, last, False)], COLUMN)
    spec = TableSpec(
        id='demo',
        caption='A demo',
        columns=(Column('top1', 'Top-1', 'test/acc/top1'), COLUMN),
        layout=(Row('a', 'a', 'a.py', 1, published=PublishedEntry('p', {'top1': 1}, 'P')),),
        seeds=(0, 1),
    )
    table = Table('demo', 'A demo', 'Model', (COLUMN,), [TableRow('a', 'a', [cell])])
    table.notes = notes(spec, table, '')
    return table


STATUSES = (CellStatus.PARTIAL, CellStatus.IMPORTED, CellStatus.OUT_OF_TOLERANCE)
COMBINATIONS = [set(held) for size in range(4) for held in itertools.combinations(STATUSES, size)]


def names(holding):
    """The statuses that hold, always in one order."""
    return '+'.join(sorted(status.name for status in holding)) or 'OK'


@pytest.mark.parametrize('holding', COMBINATIONS, ids=names)
def test_every_combination_in_every_format(holding):
    table = table_of(holding)
    [[cell]] = [row.cells for row in table.rows]
    words = {
        CellStatus.PARTIAL: '1/2',
        CellStatus.OUT_OF_TOLERANCE: 'out of tolerance',
    }
    shown = ', '.join(words[status] for status in LEGEND if status in holding)
    assert cell.statuses - {CellStatus.OK} == holding
    assert (cell.status is CellStatus.OK) == (not holding)
    assert cell.text.partition(' (')[2] == f'{shown})' * bool(shown)
    for name, render in RENDERERS.items():
        text = render(table)
        assert (f'({shown})' in text) == bool(shown), name
        for status, line in LEGEND.items():
            assert name == 'csv' or (line in text) == (status in holding), name


@pytest.mark.parametrize('holding', COMBINATIONS[1:], ids=names)
def test_seeds_that_count_are_numbers_of_their_own(holding):
    """What reads CSV or JSON needs no legend."""
    table = table_of(holding)
    [line] = csv.DictReader(io.StringIO(RENDERERS['csv'](table)))
    [row] = json.loads(RENDERERS['json'](table))['rows']
    n = 1 if CellStatus.PARTIAL in holding else 2
    assert (line['n'], line['seeds']) == (str(n), '2') and row['cells']['off']['n'] == n
    assert len(row['cells']['off']['seeds']) == 2
