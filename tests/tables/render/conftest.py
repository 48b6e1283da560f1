"""One table with everything in it that a renderer must cope with."""

from fractions import Fraction

import pytest

from mmaction_ext.tables.cells import Cell, CellStatus, SeedResult, Table, TableRow
from mmaction_ext.tables.spec import Column

NASTY = (
    '<script>alert(1)</script> "a" & \'b\' | \\input{x} \\\\ 50% $a_b^c$ #1 ~ `code` *x* '
    '[y](z) [*] -- -1 {}\nnext\tline\x1b 1. é Δ 中'
)


def number(text, value, best=False, **rest):
    return Cell(CellStatus.OK, text, text.split()[0], Fraction(value), best=best, **rest)


def status_cell(status):
    """A cell of this status, with a number where such cells have one."""
    if status in (CellStatus.IMPORTED, CellStatus.OUT_OF_TOLERANCE):
        return Cell(
            status,
            f'-2.5 ± 0.1 [-3.1, +0.2] ({status.value})',
            '-2.5',
            Fraction('-2.5'),
            Fraction('0.1'),
            (Fraction('-3.1'), Fraction('0.2')),
            note='why',
        )
    return Cell(status, status.value)


@pytest.fixture
def nasty():
    """Text with what is special in any of the formats."""
    return NASTY


@pytest.fixture
def table():
    """Two columns; a section, all kinds of cells, nasty text wherever text can stand."""
    seeds = (
        SeedResult(0, CellStatus.OK, Fraction('82.5'), runs=('r0',)),
        SeedResult(1, CellStatus.OK, Fraction('84.1'), runs=('r1',)),
        SeedResult(2, CellStatus.FAILED, reason='exit code 1'),
    )
    partial = Cell(
        CellStatus.PARTIAL,
        '83.3 ± 1.1 (2/3)',
        '83.3',
        Fraction('83.3'),
        Fraction('1.28'),
        None,
        seeds,
        note=NASTY,
        mark='a',
    )
    minus = number('-1.5 ± 0.2', '-1.5', best=True, std=Fraction('0.2'))
    rows = [
        TableRow('first', NASTY, [Cell(CellStatus.OK, '✓'), partial], NASTY, 'b'),
        TableRow('', f'Section {NASTY}'),
        TableRow('second', 'Plain', [Cell(CellStatus.NOT_APPLICABLE, '–'), minus]),
    ]
    rows += [
        TableRow(f'row{i}', status.value, [Cell(CellStatus.OK, NASTY), status_cell(status)])
        for i, status in enumerate(CellStatus)
        if status is not CellStatus.OK
    ]
    columns = (Column('mark', NASTY, 'row.mark'), Column('top1', 'Top-1', 'test/acc/top1'))
    return Table(
        'demo',
        NASTY,
        'Model',
        columns,
        rows,
        [('a', NASTY), ('b', NASTY)],
        ['A note.', '- no list', '1. no list', '# no heading', NASTY],
        [NASTY],
    )


@pytest.fixture
def unpaired(table):
    """(11 + 9) / 2 - (2 - 4) / 2 of seeds 0 and 1, and 1 and 2."""
    seeds = (
        SeedResult(0, CellStatus.MISSING, reason='of the reference row: no run', runs=('a0',)),
        SeedResult(1, CellStatus.OK, Fraction(19), runs=('b1', 'a1')),
        SeedResult(2, CellStatus.MISSING, reason='no run', runs=('b2',)),
    )
    table.rows[0].cells[1] = Cell(
        CellStatus.PARTIAL,
        '+13.0 (1/3 paired)',
        '+13.0',
        Fraction(13),
        seeds=seeds,
        note='difference of the means',
        mark='a',
        unpaired=True,
    )
    return table
