"""reports/FINDINGS.md says what the lock says: its numbers, and its sentences, too.

Readers do not see what a sentence stands on, a comment behind it:

- ``<!-- holds: TABLE ROW COLUMN > TABLE ROW COLUMN -->``, one mean is above the other,
- ``<!-- holds: TABLE ROW COLUMN > 60 -->``, or ``<``, above or below a number,
- ``<!-- holds: TABLE ROW COLUMN apart -->``, its interval leaves out zero,
- ``<!-- holds: TABLE ROW COLUMN open -->``, its interval holds zero.
"""

import functools
import re
from pathlib import Path

import pytest

from mmaction_ext.tables import build_tables, load_spec, read_lock
from mmaction_ext.tables.cells import CellStatus
from mmaction_ext.tables.render.markdown import embed

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / 'reports/FINDINGS.md').read_text(encoding='utf-8')
HOLDS = re.findall(r'<!-- *holds: (.*?) *-->', TEXT)


@functools.cache
def tables():
    """Tables by their ids, from the lock alone."""
    specs = [load_spec(path) for path in sorted((ROOT / 'configs').rglob('table.yaml'))]
    named = [spec for spec in specs if spec.id in TEXT]
    built = build_tables(named, (), {}, read_lock(ROOT / 'reports/table.lock.json'))
    return {table.id: table for table in built}


def cell_of(place):
    name, row, column = place.split()
    cell = tables()[name].cell(row, column)
    assert cell.status is CellStatus.OK, f'{place}: {cell.text}'
    return cell


def test_every_number_is_that_of_its_cell():
    """Renewed by ``mmaction-ext tables --embed reports/FINDINGS.md``."""
    assert embed(TEXT, list(tables().values()), 'FINDINGS.md', every=True) == TEXT


def test_no_measured_number_stands_outside_a_cell():
    rest = re.sub(r'<!-- *cell:.*?<!-- /cell -->|<!--.*?-->', '', TEXT)
    assert re.findall(r'\d+\.\d+|\d+ ?%', rest) == []


@pytest.mark.parametrize('claim', HOLDS)
def test_what_a_sentence_stands_on_holds(claim):
    if match := re.fullmatch(r'(\S+ \S+ \S+) (apart|open)', claim):
        low, high = cell_of(match[1]).interval
        assert (low <= 0 <= high) == (match[2] == 'open')
        return
    left, sign, right = re.split(r' ([<>]) ', claim)
    bound = float(right) if re.fullmatch(r'[\d.]+', right) else cell_of(right).value
    value = cell_of(left).value
    assert value > bound if sign == '>' else value < bound


def test_sentences_stand_on_something():
    assert len(HOLDS) >= 10
