"""How many seeds tell the rows of a table apart, by the spread of those they have."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from typing import NamedTuple

from mmaction_ext.errors import InputError, check_positive
from mmaction_ext.tables.cells import Cell, SeedResult, Table, TableRow
from mmaction_ext.tables.seed_cells import minus
from mmaction_ext.tables.spec import Column
from mmaction_ext.tables.statistics import (
    LEAST_FOR_INTERVAL,
    Interval,
    least_effect,
    mean,
    pairs_needed,
    sample_std,
    std_limit,
    t_interval,
)


class Needed(NamedTuple):
    """Seeds that a difference needs; ``None`` for more than anybody trains.

    Attributes:
        estimate: by the standard deviation as it was measured.
        at_most: by its upper 95 % limit, as few seeds know it badly.
    """

    estimate: int | None
    at_most: int | None


@dataclass(frozen=True)
class Comparison:
    """Two rows, compared seed by seed.

    Attributes:
        row, other: their ids.
        seeds: the seeds that both have.
        difference: mean of ``row`` less ``other`` over these, in the printed unit; ``None``
            without any.
        std: standard deviation of the differences (ddof=1), of two seeds or more.
        interval: 95 % interval of the difference, of :data:`LEAST_FOR_INTERVAL` seeds or more.
        problem: why the spread of the differences is unknown; empty where it is known.
    """

    row: str
    other: str
    seeds: tuple[int, ...]
    difference: Fraction | None
    std: Fraction | None
    interval: Interval | None
    problem: str

    @property
    def is_told_apart(self) -> bool | None:
        """Whether the interval leaves out 0; ``None`` where there is none."""
        if self.interval is None or self.problem:
            return None
        return not self.interval[0] <= 0 <= self.interval[1]

    @property
    def detectable(self) -> float | None:
        """Least difference that its seeds find in 80 % of studies; ``None`` if unknown."""
        if self.problem or self.std is None:
            return None
        return least_effect(len(self.seeds)) * float(self.std)

    def needed(self, difference: float) -> Needed | None:
        """How many seeds find a true difference in 80 % of studies; ``None`` if unknown.

        Args:
            difference: in the printed unit, above 0.
        """
        if self.problem or self.std is None:
            return None
        std = float(self.std)
        limit = std_limit(std, len(self.seeds))
        return Needed(pairs_needed(difference / std), pairs_needed(difference / limit))


@dataclass(frozen=True)
class TablePower:
    """What the seeds of a table tell apart in one column.

    Attributes:
        table: the table.
        column: the column.
        difference: the difference that is to be told from noise, in the printed unit.
        rows: each measured row but those that are a reference, against its own.
        pairs: every two measured rows, in the order of the table.
        means: id to mean of the rows that have one.
    """

    table: Table
    column: Column
    difference: float
    rows: tuple[Comparison, ...]
    pairs: tuple[Comparison, ...]
    means: dict[str, Fraction]

    @property
    def is_enough(self) -> bool:
        """Whether every row has as many seeds as the difference needs, by the estimate."""
        needs = [(row, row.needed(self.difference)) for row in self.rows]
        return all(
            need is not None and need.estimate is not None and need.estimate <= len(row.seeds)
            for row, need in needs
        )


def table_power(table: Table, difference: float, metric: str | None = None) -> TablePower:
    """What the seeds of a table tell apart, and how many more they would need.

    Args:
        table: the table, built from runs or a lock.
        difference: the true difference that is to be found, in the printed unit of the column
            (percentage points where accuracies are printed in percent).
        metric: key of a measured column; the table's main one if left out.

    Raises:
        InputError: there is no such column, or ``difference`` is no positive number.
    """
    check_positive('the difference', difference)
    column = _column(table, metric)
    place = table.columns.index(column)
    cells = {row.id: row.cells[place] for row in table.body if row.cells[place].seeds}
    rows = [row for row in table.body if row.id in cells]
    return TablePower(
        table,
        column,
        difference,
        tuple(
            _against_reference(row, cells) for row in rows if row.counterpart not in ('', row.id)
        ),
        tuple(compare(a, cells[a], b, cells[b]) for a, b in combinations(cells, 2)),
        {name: cell.value for name, cell in cells.items() if cell.value is not None},
    )


def _column(table: Table, metric: str | None) -> Column:
    measured = {column.key: column for column in table.columns if column.kind == 'history'}
    if not measured:
        raise InputError(f'table {table.id} has no measured column')
    if metric is None:
        return next(iter(measured.values()))
    if metric not in measured:
        raise InputError(
            f'table {table.id} has no measured column {metric!r}; it has {", ".join(measured)}'
        )
    return measured[metric]


def _against_reference(row: TableRow, cells: dict[str, Cell]) -> Comparison:
    other = cells.get(row.counterpart)
    if other is None:
        problem = f'{row.counterpart} is not measured'
        return Comparison(row.id, row.counterpart, (), None, None, None, problem)
    return compare(row.id, cells[row.id], row.counterpart, other)


def compare(row: str, cell: Cell, other: str, reference: Cell) -> Comparison:
    """Compare two cells of a column, paired by seed.

    Args:
        row, other: ids of their rows.
        cell, reference: the cells, which have seeds.
    """
    mine, theirs = cell.seeds, reference.seeds
    if any(each.fold for each in (*mine, *theirs)):
        problem = 'folds of one seed say nothing of the spread of seeds'
        return Comparison(row, other, (), None, None, None, problem)
    pairs = [minus(*each) for each in zip(mine, theirs, strict=True)]
    counted = [pair for pair in pairs if pair.value is not None]
    values = [pair.value for pair in counted if pair.value is not None]
    std = sample_std(values) if len(values) > 1 else None
    return Comparison(
        row,
        other,
        tuple(pair.seed for pair in counted),
        mean(values) if values else None,
        std,
        t_interval(values),
        _problem(counted, std),
    )


def _problem(counted: Sequence[SeedResult], std: Fraction | None) -> str:
    if len(counted) < LEAST_FOR_INTERVAL:
        seeds = 'seed' if len(counted) == 1 else 'seeds'
        return f'{len(counted)} {seeds} in common, {LEAST_FOR_INTERVAL} are needed'
    return '' if std else 'the differences of all seeds are alike: no spread to go by'
