"""From runs to a table: one cell per row and column, each with its status.

Means and standard deviations are taken over the exact decimals that were logged and rounded
once, when they are printed; differences are paired by seed and taken before rounding.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import PurePath

from mmaction_ext.tables import notes
from mmaction_ext.tables.cells import (
    Cell,
    CellStatus,
    Measurement,
    SeedResult,
    Table,
    TableRow,
    exact,
    printed_as,
)
from mmaction_ext.tables.complexity import Counts
from mmaction_ext.tables.notes import number_footnotes
from mmaction_ext.tables.row_results import LockedResults, LockedTable, RunResults
from mmaction_ext.tables.seed_cells import (
    common_cell,
    dash,
    difference_cell,
    fold_results,
    mean_result,
    number_cell,
    reject_shared,
    scaled,
    seeds_cell,
    shifted,
)
from mmaction_ext.tables.seed_runs import RowConfig, resolve_configs
from mmaction_ext.tables.spec import Column, Row, Section, TableSpec
from mmaction_ext.tracking.identity import load_config
from mmaction_ext.tracking.reading.record import RunRecord

__all__ = ['CellBuilder', 'build_table', 'build_tables', 'number_footnotes']


def build_table(
    spec: TableSpec,
    records: Iterable[RunRecord],
    configs: Mapping[str, RowConfig] | None = None,
    complexity: Counts | None = None,
    locked: LockedTable | None = None,
) -> Table:
    """Build a table.

    Args:
        spec: :class:`mmaction_ext.tables.spec.TableSpec`.
        records: :class:`mmaction_ext.tracking.reading.record.RunRecord` of any runs, in any order.
        configs: row id to :class:`mmaction_ext.tables.seed_runs.RowConfig`; resolved from the
            files if left out.
        complexity: see :func:`mmaction_ext.tables.complexity.complexity_result`.
        locked: the table's :class:`mmaction_ext.tables.row_results.LockedTable`; where it is
            given, ``records`` are not looked at.

    Returns:
        The table; the same bytes whatever the order of ``records``.

    Raises:
        InputError: a row's config cannot be read.
    """
    configs, complexity = configs or resolve_configs(spec), complexity or {}
    results: RunResults | LockedResults
    if locked is None:
        results = RunResults(spec, records, configs, complexity)
    else:
        results = LockedResults(spec, locked, configs, complexity)
    builder = CellBuilder(spec, results)
    cells = builder.cells()
    citation = notes.main_citation(spec)
    table = Table(
        spec.id,
        spec.caption,
        spec.row_head,
        spec.columns,
        [],
        spec_path=PurePath(spec.path).as_posix(),
        measurements=tuple(builder.measurements.values()),
        project=spec.project,
        group=spec.group,
    )
    for row in spec.layout:
        if isinstance(row, Section):
            table.rows.append(TableRow('', row.title))
        else:
            table.rows.append(builder.table_row(row, cells, notes.row_note(row, citation)))
    _mark_best(table)
    number_footnotes(table)
    if spec.mark_imported:
        notes.mark_imported(spec, table)
    table.warnings = notes.warnings(spec, table)
    table.notes = notes.notes(spec, table, citation)
    return table


def build_tables(
    specs: Iterable[TableSpec],
    records: Iterable[RunRecord],
    complexity: Counts | None = None,
    locked: Mapping[str, LockedTable] | None = None,
) -> list[Table]:
    """Build several tables; a config that many of them show is read once.

    Args:
        specs, records, complexity: as for :func:`build_table`.
        locked: table id to :class:`mmaction_ext.tables.row_results.LockedTable`, to build without
            runs; a table that is not in it has none.

    Returns:
        One :class:`Table` per specification.

    Raises:
        InputError: a row's config cannot be read.
    """
    load = functools.cache(load_config)
    return [
        build_table(
            spec,
            records,
            resolve_configs(spec, load),
            complexity,
            None if locked is None else locked.get(spec.id, LockedTable()),
        )
        for spec in specs
    ]


class CellBuilder:
    """Fills cells column by column, since a column may build on an earlier one.

    Args:
        spec: :class:`mmaction_ext.tables.spec.TableSpec`.
        results: :class:`mmaction_ext.tables.row_results.RunResults` or
            :class:`mmaction_ext.tables.row_results.LockedResults` of it.

    Attributes:
        measurements: (row id, metric, seed) to :class:`mmaction_ext.tables.cells.Measurement`, for
            the cells that were filled so far.
        dated: ids of rows with a result of other code than the tree's.
    """

    def __init__(self, spec: TableSpec, results: RunResults | LockedResults) -> None:
        self.spec, self.results = spec, results
        self.by_key = {column.key: column for column in spec.columns}
        self.done: dict[tuple[str, str], Cell] = {}
        self.measurements: dict[tuple[str, str, int | None], Measurement] = {}
        self.dated: set[str] = set()

    def cells(self) -> dict[tuple[str, str], Cell]:
        """(row id, column key) to cell."""
        makers = dict(
            row=self.mark,
            complexity=self.complexity,
            published=self.published,
            history=self.measured,
            column=self.difference,
        )
        parts_first = sorted(self.spec.rows, key=lambda row: bool(row.mean_of))
        for column in self.spec.columns:
            for row in (*self.spec.fold_rows, *parts_first):
                self.done[row.id, column.key] = makers[column.kind](row, column)
        return self.done

    def table_row(
        self, row: Row, cells: Mapping[tuple[str, str], Cell], note: str = ''
    ) -> TableRow:
        """The cells of a row of :meth:`cells`, with what is said of it."""
        return TableRow(
            row.id,
            row.label,
            [cells[row.id, column.key] for column in self.spec.columns],
            note,
            dated=any(each.id in self.dated for each in (row, *self.spec.folds_of(row))),
            counterpart=getattr(self.spec.counterpart(row), 'id', ''),
            fold=row.fold,
            folds=tuple(self.table_row(fold, cells) for fold in self.spec.folds_of(row)),
        )

    def mark(self, row: Row, column: Column) -> Cell:
        """A literal entry of the row."""
        value = row.marks.get(column.name, False)
        text = value if isinstance(value, str) else '✓' if value else ''
        return Cell(CellStatus.OK, text)

    def complexity(self, row: Row, column: Column) -> Cell:
        """Parameters or multiply-adds of the network itself."""
        if row.is_published_only:
            return dash()
        parts = self.spec.parts(row)
        if parts:
            return common_cell([self.done[part.id, column.key] for part in parts])
        found = self.results.complexity(row.id, column)
        self.measure(row, column.source, None, found)
        if found.value is None:
            return Cell(found.status, found.status.value, note=found.reason)
        return number_cell(found.value * column.scale, column)

    def published(self, row: Row, column: Column) -> Cell:
        """A figure that a paper prints, with the digits it has there unless it is scaled."""
        figure = row.published.figures.get(column.name) if row.published else None
        if figure is None:
            return dash()
        if isinstance(figure, str):
            return Cell(CellStatus.OK, figure)
        if column.scale == 1:
            column = replace(column, fmt=printed_as(column.fmt, repr(figure)))
        return number_cell(exact(figure) * column.scale, column)

    def history(self, row: Row, column: Column) -> list[SeedResult]:
        """One scaled :class:`SeedResult` per seed, or see :func:`fold_results`."""
        parts = self.spec.parts(row, column.fold)
        if parts:
            by_part = [self.history(part, column) for part in parts]
            if column.fold and not row.mean_of:
                return by_part[0]
            if not row.mean_of:
                return fold_results(parts, by_part, column)
            return [mean_result(parts, results) for results in zip(*by_part, strict=True)]
        results = [self.results.result(row.id, seed, column) for seed in self.spec.seeds]
        for result in results:
            self.measure(row, column.measure, result.seed, result)
        return [scaled(result, column.scale) for result in reject_shared(results)]

    def measure(self, row: Row, metric: str, seed: int | None, result: SeedResult) -> None:
        """Keep what runs said for the lock file."""
        if result.runs or result.imported:
            config = self.results.configs[row.id]
            self.measurements[row.id, metric, seed] = Measurement(
                row.id, config.name, config.digest, metric, seed, result
            )
            test = result.evaluation
            if result.status is CellStatus.OK and config.watched.is_other(
                test.get('watched'), test.get('own')
            ):
                self.dated.add(row.id)

    def measured(self, row: Row, column: Column) -> Cell:
        """A logged metric, over the seeds."""
        if row.is_published_only or self.trains_nothing(row, column):
            return dash()
        if row.fold and column.fold not in ('', row.fold):
            return dash()
        return seeds_cell(self.history(row, column), column)

    def trains_nothing(self, row: Row, column: Column) -> bool:
        """Whether a metric of training or validation is asked of a row that is only tested."""
        parts = self.spec.parts(row) or (row,)
        return not column.source.startswith('test/') and any(
            self.results.configs[part.id].is_only_tested for part in parts
        )

    def difference(self, row: Row, column: Column) -> Cell:
        """Difference to the reference row or to a published figure."""
        if not column.relative:
            return self.difference_to_published(row, column)
        counterpart = self.spec.counterpart(row)
        if counterpart is None or row.id == counterpart.id:
            return dash()
        mine = self.done[row.id, column.source]
        reference = self.done[counterpart.id, column.source]
        if mine.seeds and reference.seeds:
            ours, theirs = mine.seeds, reference.seeds
            if [each.fold for each in ours] != [each.fold for each in theirs]:
                ours, theirs = self.by_seed(row, mine), self.by_seed(counterpart, reference)
            return difference_cell(ours, theirs, column)
        if reference.value is None:
            return _without_number(mine if mine.value is None else reference)
        return self.plain_difference(mine, reference.value, reference.number, column)

    def by_seed(self, row: Row, cell: Cell) -> tuple[SeedResult, ...]:
        """The results of a cell, folds of one seed as their mean."""
        folds = any(each.fold for each in cell.seeds)
        return (mean_result(self.spec.parts(row), cell.seeds),) if folds else cell.seeds

    def difference_to_published(self, row: Row, column: Column) -> Cell:
        """Difference to what a paper prints for the row; a dash where it prints no number."""
        name = str(column.relative_to).partition('.')[2]
        figure = row.published.figures.get(name) if row.published else None
        if row.is_published_only or figure is None or isinstance(figure, str):
            return dash()
        mine, printed, figure = self.done[row.id, column.source], repr(figure), exact(figure)
        if mine.seeds:
            return seeds_cell([shifted(seed, figure) for seed in mine.seeds], column)
        return self.plain_difference(mine, figure, printed, column)

    def plain_difference(self, mine: Cell, other: Fraction, printed: str, column: Column) -> Cell:
        """Difference of a cell without seeds; one of a published figure keeps all digits."""
        if mine.value is None:
            return _without_number(mine)
        if self.by_key[column.source].kind == 'published':
            column = replace(column, fmt=printed_as(column.fmt, mine.number, printed))
        return number_cell(mine.value - other, column)


def _without_number(cell: Cell) -> Cell:
    """What a difference to a cell without a number shows."""
    if cell.status is CellStatus.OK:  # a published text
        return dash()
    return Cell(cell.status, cell.text, note=cell.note)


def _mark_best(table: Table) -> None:
    """Mark the best complete cells of a column, as printed: what looks equal is equal."""
    for i, column in enumerate(table.columns):
        cells = [row.cells[i] for row in table.body]
        complete = {CellStatus.OK, CellStatus.IMPORTED}
        cells = [cell for cell in cells if cell.number and cell.statuses <= complete]
        if not column.best or len(cells) < 2:
            continue
        pick = max if column.best == 'max' else min
        best = pick(float(cell.number) for cell in cells)
        for cell in cells:
            cell.best = float(cell.number) == best
