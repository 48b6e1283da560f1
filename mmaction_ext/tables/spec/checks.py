"""What can be said of a specification only as a whole: whether its rows and columns fit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from mmaction_ext.tables.spec.model import Select, TableSpec

Misfit = tuple[tuple[str | int, ...], str]
#: Where a metric is logged.
Phase = Literal['train', 'val', 'test']
PHASES = get_args(Phase)
#: the costs in a figure that no column has, to what its axis is called
MEASURED = {
    'step': 'Training step, times that without a module',
    'memory': 'Kept for the backward pass, times that without a module',
}
#: sources that only runs of other programs have, to the kind of column they fill
FOREIGN_KINDS = {'metric': 'history', 'config': 'complexity', 'summary': 'complexity'}
#: sources that are neither logged metrics nor columns, to the kind of column they fill
SOURCE_KINDS = {
    'row': 'row',
    'static': 'complexity',
    'published': 'published',
    **FOREIGN_KINDS,
}


def misfits(spec: TableSpec) -> Iterator[Misfit]:
    """Keys and indices that lead to what refers to something that is not there, and the reason."""
    yield from _sources(spec)
    yield from _columns(spec)
    yield from _rows(spec)
    yield from _reference(spec)
    yield from _published(spec)
    yield from _figure(spec)


def _sources(spec: TableSpec) -> Iterator[Misfit]:
    """What only runs of other programs have, and what only our own log."""
    if not spec.runs and not spec.layout:
        yield (), "'rows' is missing"
    if spec.runs and not spec.runs.names_rows:
        for row in spec.rows:
            if row.foreign and row.wandb is None:
                where = ('rows', spec.layout.index(row))
                yield where, 'needs wandb: what its runs have, as runs: has no key row'
        if not spec.layout:
            yield (
                ('runs',),
                'row is missing: the config key or CSV column that tells the row of a run, a '
                'group (?P<row>...) in name, or rows: with wandb: each',
            )
    if spec.runs:
        return
    selects: dict[tuple[str | int, ...], Select | None] = {(): spec.select}
    selects |= {('columns', i): column.select for i, column in enumerate(spec.columns)}
    for place, select in selects.items():
        if select and select.policy == 'summary':
            yield (*place, 'select', 'policy'), 'summary is of foreign runs, and needs runs:'
        elif select and select.metric and not select.metric.startswith('val/'):
            message = f'policy best needs a val/ metric, found {select.metric!r}'
            yield (*place, 'select'), message
    for i, column in enumerate(spec.columns):
        if column.source.partition('.')[0] in FOREIGN_KINDS and '.' in column.source:
            yield ('columns', i, 'from'), f'{column.source!r} is of foreign runs, and needs runs:'
        elif column.kind == 'history' and column.source.split('/')[0] not in PHASES:
            phases = ', '.join(f'{phase}/' for phase in PHASES)
            message = f'metric {column.source!r} does not begin with one of {phases}'
            yield ('columns', i, 'from'), message


def _columns(spec: TableSpec) -> Iterator[Misfit]:
    earlier: dict[str, str] = {}
    for i, column in enumerate(spec.columns):
        if column.key in earlier:
            yield ('columns', i, 'key'), f'two columns have the key {column.key!r}'
        if column.kind == 'column' and earlier.get(column.source, 'row') == 'row':
            yield (
                ('columns', i, 'from'),
                f'{column.source!r} is neither row.*, static.*, published.*, a metric like '
                'test/acc/top1, nor an earlier column of numbers',
            )
        if column.over_folds == 'pooled' and not spec.folds:
            yield ('columns', i, 'over_folds'), 'needs folds: of the table'
        if column.fold and column.fold not in spec.folds:
            known = ', '.join(spec.folds) or 'none'
            yield ('columns', i, 'fold'), f'{column.fold!r} is no fold of the table: {known}'
        if column.kind == 'column' and column.relative_to is None:
            yield ('columns', i), f'{column.source!r} is a column: relative_to is missing'
        earlier[column.key] = column.kind


def _rows(spec: TableSpec) -> Iterator[Misfit]:
    marks = {column.name for column in spec.columns if column.kind == 'row'}
    configured = {row.id for row in spec.with_runs}
    run = {row.id for row in spec.rows if not row.is_published_only}
    seen: set[str] = set()
    for row in spec.rows:
        i = spec.layout.index(row)
        for key in row.marks.keys() - marks:
            known = ', '.join(sorted({*row.keys(), *marks}))
            yield ('rows', i, key), f'unknown key {key!r}; known: {known}'
        if row.id in seen:
            yield ('rows', i), f'two rows have the id {row.id!r}'
        for name in row.mean_of:
            if name not in configured:
                yield ('rows', i, 'mean_of'), f'{name!r} is no row of this table with a config'
        if row.relative_to and row.relative_to not in run:
            where = ('rows', i, 'relative_to')
            yield where, f'{row.relative_to!r} is no row of this table with runs'
        seen.add(row.id)
    for fold in spec.fold_rows:
        if fold.id in seen:
            yield ('folds',), f'a fold and a row have the id {fold.id!r}'
    if spec.layout and not seen:
        yield ('rows',), 'there is no row, only sections'


def _reference(spec: TableSpec) -> Iterator[Misfit]:
    references = [row for row in spec.rows if row.reference]
    if len(references) > 1:
        names = ', '.join(row.id for row in references)
        yield ('rows',), f'more than one reference row: {names}'
    for row in references:
        if row.is_published_only:
            where = ('rows', spec.layout.index(row), 'reference')
            yield where, 'a row of published figures alone cannot be the reference'
    if spec.layout and not references and any(column.relative for column in spec.columns):
        yield ('rows',), 'a column is relative_to the reference, but no row has reference: true'
    if not references and spec.varies:
        yield ('varies',), 'needs a row with reference: true'


def _published(spec: TableSpec) -> Iterator[Misfit]:
    known = {name for row in spec.rows if row.published for name in row.published.figures}
    for i, column in enumerate(spec.columns):
        for key, source in (('from', column.source), ('relative_to', column.relative_to)):
            kind, _, name = str(source).partition('.')
            if kind == 'published' and name not in known:
                yield ('columns', i, key), f'no published entry of this table has {name!r}'


def _figure(spec: TableSpec) -> Iterator[Misfit]:
    """Lines are of measured columns, or over one of marks; costs are numbers of rows."""
    if spec.figure is None:
        return
    kinds = {column.key: column.kind for column in spec.columns}
    if 'history' not in kinds.values():
        yield ('figure',), 'there is no measured column to draw'
    for name in ('lines', 'scatter'):
        keys = getattr(spec.figure, name)
        for i, key in enumerate(keys):
            fits = kinds.get(key) == 'history' or (kinds.get(key) == 'row' and len(keys) == 1)
            if name == 'scatter':
                fits = kinds.get(key) == 'complexity' or key in MEASURED
            if not fits:
                yield ('figure', name, i), f'{key!r} is no column that can be drawn there'
