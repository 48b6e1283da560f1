"""What stands behind the cells of a table: every seed's values, and links to its runs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from mmaction_ext.report.addresses import seeds_id
from mmaction_ext.report.markup import render
from mmaction_ext.report.table_parts import rows_with_runs
from mmaction_ext.tables.cells import CellStatus, SeedResult, Table, format_number
from mmaction_ext.tables.run_summary import RunSummary
from mmaction_ext.tables.spec import Column


def seeds_addresses(table: Table) -> dict[str, str]:
    """Row id to the id of the place that lists the row's seeds, of rows that have runs."""
    return {row.id: seeds_id(table, row) for row in rows_with_runs(table)}


def seeds_table(table: Table, runs: Mapping[str, Sequence[RunSummary]]) -> Markup:
    """HTML of the seeds of every row that has runs; empty where none has.

    Args:
        table: the table.
        runs: uid to the runs with that id.
    """
    columns = [i for i, column in enumerate(table.columns) if column.kind == 'history']
    heads = [table.row_head, 'Seed', *(table.columns[i].head for i in columns), 'Runs']
    rows = [
        (
            row,
            [
                _line(part.fold, results, [table.columns[i] for i in columns])
                for part in row.measured
                for results in _by_seed([part.cells[i].seeds for i in columns])
            ],
        )
        for row in rows_with_runs(table)
    ]
    return render('seeds.html.j2', table=table, heads=heads, rows=rows, runs=runs)


def _by_seed(columns: Sequence[Sequence[SeedResult]]) -> Iterator[tuple[SeedResult, ...]]:
    """The results of each seed; a column of another fold has none of this one."""
    seeds = next(filter(None, columns), ())
    blank = [SeedResult(each.seed, CellStatus.NOT_APPLICABLE) for each in seeds]
    return zip(*(results or blank for results in columns), strict=True)


@dataclass(frozen=True)
class _Line:
    """What is said of one row, or a fold of it, under one seed."""

    seed: str
    numbers: Sequence[tuple[SeedResult, str, str]]
    uids: Sequence[str]


def _line(fold: str, results: Sequence[SeedResult], columns: Sequence[Column]) -> _Line:
    numbers = [_number(result, column) for result, column in zip(results, columns, strict=True)]
    uids = sorted({uid for result in results for uid in result.runs})
    return _Line(', '.join(filter(None, (fold, str(results[0].seed)))), numbers, uids)


def _number(result: SeedResult, column: Column) -> tuple[SeedResult, str, str]:
    """A result, its number as printed, and the exact one; without a number where none counts."""
    if result.status is not CellStatus.OK or result.value is None:
        return result, '', ''
    number = format_number(result.value, column.fmt).replace('-', '−')
    return result, number, repr(float(result.value))
