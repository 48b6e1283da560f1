"""CSV with one line per cell: unrounded numbers, status, and what each seed contributed.

Numbers are in the column's unit (percent, millions); ``low`` and ``high`` are the ends of the 95 %
interval of the mean, for three seeds or more; ``values`` and ``runs`` list the seeds that
count, so that mean and standard deviation can be recomputed from one line. ``n``, ``values`` and
``runs`` are empty where a difference is not paired by seed: it is that of the values of two rows,
see the lines of both. ``note`` holds the footnotes of the row and of the cell; it names their
seeds.

A spreadsheet takes a text that begins with ``=``, ``@`` or a tab for a formula. Such a text has a
``'`` in front, as has one that begins with ``+`` or ``-`` and calls something (``-cmd|...``,
``+f(...)``, ``+sheet!A1``); labels such as ``+ basic correlation`` and numbers are as they are.
"""

import csv
import io
import re
from fractions import Fraction

from mmaction_ext.tables.cells import Cell, Table, TableRow
from mmaction_ext.tables.notes import DATED
from mmaction_ext.tables.render.text import visible

HEADER = (
    'table',
    'section',
    'row',
    'label',
    'column',
    'head',
    'status',
    'value',
    'std',
    'low',
    'high',
    'n',
    'seeds',
    'text',
    'values',
    'runs',
    'note',
)
_FORMULA = re.compile(r'\s*(?:[=@\t\r]|[-+].*(?:[|!]|[^\W\d]\s*\())|[\t\r]', re.DOTALL)


def render(table: Table) -> str:
    """CSV of a table."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator='\n')
    writer.writerow(HEADER)
    section = ''
    for row in table.rows:
        if row.is_section:
            section = row.label
            continue
        for column, cell in zip(table.columns, row.cells, strict=True):
            writer.writerow(
                map(
                    _plain,
                    [
                        table.id,
                        section,
                        row.id,
                        row.label,
                        column.key,
                        column.head,
                        *_cell(cell),
                        _note(row, cell),
                    ],
                )
            )
    return buffer.getvalue()


def _note(row: TableRow, cell: Cell) -> str:
    dated = DATED if row.dated and cell.seeds else ''
    return '; '.join(filter(None, (row.note, cell.note, dated)))


def _plain(value: str | int) -> str | int:
    """A value that no spreadsheet runs."""
    if not isinstance(value, str):
        return value
    text = visible(value)
    return f"'{text}" if _FORMULA.match(text) else text


def _cell(cell: Cell) -> list[str | int]:
    return [
        cell.status.value,
        _number(cell.value),
        _number(cell.std),
        *map(_number, cell.interval or (None, None)),
        cell.n if cell.seeds and not cell.unpaired else '',
        len(cell.seeds) or '',
        cell.text,
        '; '.join(f'{seed.label}: {_number(seed.value)}' for seed in cell.counted),
        '; '.join(f'{seed.label}: {" ".join(seed.runs)}' for seed in cell.counted),
    ]


def _number(value: Fraction | None) -> str:
    return '' if value is None else repr(float(value))
