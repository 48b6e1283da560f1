"""JSON with all that a table holds: unrounded numbers, statuses, seeds, runs; one line per cell.

``rows`` are in reading order, a heading has no ``cells``; ``cells`` are keyed by column. Numbers
are in the column's unit. Of a seed, what is unknown is left out. ``unpaired`` differences are
those of the means of two rows: the values are with the cells of both, and not with the seeds.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from mmaction_ext.tables.cells import Cell, SeedResult, Table, TableRow
from mmaction_ext.tables.render.text import visible
from mmaction_ext.tables.spec import Column

SCHEMA = 1


def render(table: Table) -> str:
    """JSON of a table."""
    facts = dict(
        schema=SCHEMA,
        id=table.id,
        caption=table.caption,
        row_head=table.row_head,
        **_known(dict(head_mark=table.head_mark)),
        complete=table.is_complete,
    )
    lines = [f'{_dump(key)}: {_dump(value)}' for key, value in facts.items()]
    lines += [
        _block('columns', map(_dump, map(_column, table.columns))),
        _block('rows', (_row(row, table.columns) for row in table.rows)),
        _block('footnotes', (_dump(dict(mark=mark, text=text)) for mark, text in table.footnotes)),
        _block('notes', map(_dump, table.notes)),
        _block('warnings', map(_dump, table.warnings)),
    ]
    return '{\n' + ',\n'.join(lines) + '\n}\n'


def _dump(value: object) -> str:
    return visible(json.dumps(value, ensure_ascii=False, allow_nan=False))


def _block(name: str, lines: Iterable[str]) -> str:
    """A list with one entry per line."""
    body = ',\n'.join(lines)
    return f'{_dump(name)}: [\n{body}\n]' if body else f'{_dump(name)}: []'


def _column(column: Column) -> dict[str, Any]:
    facts = dict(
        key=column.key,
        head=column.head,
        source=column.source,
        best=column.best,
        relative_to=column.relative_to,
        tolerance=_number(column.tolerance),
        select=column.select and str(column.select),
    )
    return _known(facts)


def _row(row: TableRow, columns: Sequence[Column]) -> str:
    facts = _known(dict(id=row.id, label=row.label, note=row.note, mark=row.mark))
    if row.is_section:
        return _dump(dict(section=row.label))
    cells = ',\n'.join(
        f' {_dump(column.key)}: {_dump(_cell(cell))}'
        for column, cell in zip(columns, row.cells, strict=True)
    )
    return f'{_dump(facts)[:-1]}, "cells": {{\n{cells}\n}}}}'


def _cell(cell: Cell) -> dict[str, Any]:
    facts = _known(
        dict(
            text=cell.text,
            value=_number(cell.value),
            std=_number(cell.std),
            interval=cell.interval and list(map(_number, cell.interval)),
            n=cell.n if cell.seeds and not cell.unpaired else None,
            unpaired=cell.unpaired or None,
            note=cell.note,
            mark=cell.mark,
            best=cell.best or None,
            seeds=[_seed(seed, cell.unpaired) for seed in cell.seeds],
        )
    )
    return dict(status=cell.status.value, **facts)


def _seed(seed: SeedResult, unpaired: bool) -> dict[str, Any]:
    return dict(
        seed=seed.seed,
        status=seed.status.value,
        **_known(
            dict(
                fold=seed.fold,
                value=None if unpaired else _number(seed.value),
                reason=seed.reason,
                runs=list(seed.runs),
                samples=seed.samples,
                checkpoint=seed.checkpoint,
                data=seed.data,
                protocol=seed.protocol,
                imported=seed.imported or None,
            )
        ),
    )


def _known(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in facts.items() if value not in (None, '', [])}


def _number(value: Fraction | None) -> float | None:
    return None if value is None else float(value)
