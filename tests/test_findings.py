"""reports/FINDINGS.md says what the lock says: its numbers, and its sentences, too.

Readers do not see what a sentence stands on, a comment behind it, in which a cell is TABLE ROW
COLUMN, and ``step`` and ``memory`` are columns that hold what tools/benchmarks measured:

- ``<!-- holds: CELL > CELL -->``, one is above the other under whatever seeds, by the interval of
  their paired differences, and ``CELL ~ CELL``, that interval holds zero,
- ``<!-- holds: CELL > 60 -->``, or ``<``, a mean is above or below a number,
- ``<!-- holds: CELL apart -->``, the interval of a difference leaves out zero, or ``open``, not,
- ``<!-- holds: best TABLE ROW COLUMN -->``, the row is above every other one of its table.
"""

import functools
import re
from pathlib import Path

import pytest

from mmaction_ext.cli.figures import row_costs, step_costs
from mmaction_ext.tables import build_tables, load_spec, read_lock
from mmaction_ext.tables.cells import CellStatus
from mmaction_ext.tables.render.markdown import embed
from mmaction_ext.tables.seed_cells import cells_difference
from mmaction_ext.tables.spec.checks import MEASURED

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / 'reports/FINDINGS.md').read_text(encoding='utf-8')
HOLDS = re.findall(r'<!-- *holds: (.*?) *-->', TEXT)


@functools.cache
def specs():
    """Tables that are named, by their ids."""
    found = [load_spec(path) for path in sorted((ROOT / 'configs').rglob('table.yaml'))]
    return {spec.id: spec for spec in found if spec.id in TEXT}


@functools.cache
def tables():
    """Tables by their ids, from the lock alone."""
    lock = read_lock(ROOT / 'reports/table.lock.json')
    built = build_tables(list(specs().values()), (), {}, lock)
    return {table.id: table for table in built}


def value_of(place):
    name, row, column = place.split()
    if column in MEASURED:
        steps = step_costs(ROOT / 'reports/benchmarks/models.csv')
        return row_costs(specs()[name], steps)[column][row]
    cell = tables()[name].cell(row, column)
    assert cell.status is CellStatus.OK, f'{place}: {cell.text}'
    return cell.value


def interval_of(place, other):
    """That of the paired differences of two cells."""
    pair = [
        (tables()[name].cell(row, column), tables()[name].column(column))
        for name, row, column in (place.split(), other.split())
    ]
    return cells_difference(*pair[0], *pair[1]).interval


def test_every_number_is_that_of_its_cell():
    """Renewed by ``mmaction-ext tables --embed reports/FINDINGS.md``."""
    assert embed(TEXT, list(tables().values()), 'FINDINGS.md', every=True) == TEXT


def test_no_measured_number_stands_outside_a_cell():
    rest = re.sub(r'<!-- *cell:.*?<!-- /cell -->|<!--.*?-->', '', TEXT)
    assert re.findall(r'\d+\.\d+|\d+ ?%', rest) == []


@pytest.mark.parametrize('claim', HOLDS)
def test_what_a_sentence_stands_on_holds(claim):
    if match := re.fullmatch(r'(\S+) (\S+) (\S+) (apart|open)', claim):
        low, high = tables()[match[1]].cell(match[2], match[3]).interval
        assert (low <= 0 <= high) == (match[4] == 'open')
    elif match := re.fullmatch(r'best (\S+) (\S+) (\S+)', claim):
        name, best, column = match.groups()
        others = [row.id for row in tables()[name].body if row.id != best]
        assert others
        for row in others:
            assert interval_of(f'{name} {best} {column}', f'{name} {row} {column}')[0] > 0, row
    elif match := re.fullmatch(r'(\S+ \S+ \S+) ([<>]) ([\d.]+)', claim):
        value, bound = value_of(match[1]), float(match[3])
        assert value > bound if match[2] == '>' else value < bound
    else:
        left, sign, right = re.split(r' ([>~]) ', claim)
        low, high = interval_of(left, right)
        assert low > 0 if sign == '>' else low <= 0 <= high


def test_every_finding_has_its_cell_and_what_it_stands_on():
    """Whatever is said, but what to pick and what is not known, is an item or a row with both."""
    said = TEXT[TEXT.index('## Clips') : TEXT.index('## What to pick')]
    items = re.findall(r'(?ms)^(?:- |\| (?!claim))(.*?)(?=^- |^\||^\n|^!|^##|\Z)', said)
    assert len(items) >= 10
    bare = [item for item in items if '<!-- cell:' not in item or '<!-- holds:' not in item]
    assert bare == []
