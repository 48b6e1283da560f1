"""Rows and seeds of a table: what state each is in, and which runs it has."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mmaction_ext.tables.aggregate import CellBuilder
from mmaction_ext.tables.cells import SEVERITY, CellStatus, SeedResult
from mmaction_ext.tables.row_results import LockedResults, LockedTable, RunResults
from mmaction_ext.tables.seed_cells import run_results
from mmaction_ext.tables.seed_runs import RowConfig, resolve_configs
from mmaction_ext.tables.spec import Row, TableSpec
from mmaction_ext.tracking.reading.record import RunRecord


@dataclass(frozen=True)
class RowSeed:
    """One row under one seed.

    Attributes:
        row: the row, which has a config or foreign runs.
        seed: the seed.
        config: the row's config as it stands in the tree.
        status: the worst over the table's logged metrics.
        reason: why it is no better; empty for ``OK``.
        fresh: its run records of the config as it stands in the tree.
        others: its run records of other versions of the config, with settings overridden, or
            that lost their config.
    """

    row: Row
    seed: int
    config: RowConfig
    status: CellStatus
    reason: str
    fresh: tuple[RunRecord, ...]
    others: tuple[RunRecord, ...]

    @property
    def name(self) -> str:
        """``row/seed0``."""
        return f'{self.row.id}/seed{self.seed}'

    @property
    def is_done(self) -> bool:
        """Whether the table has what it needs of it."""
        return self.status is CellStatus.OK

    @property
    def living(self) -> RunRecord | None:
        """The record of a run on which a process works now, whatever its version; or ``None``."""
        return living_run(self.fresh + self.others)


def living_run(records: Iterable[RunRecord]) -> RunRecord | None:
    """The first of some run records on which a process works now; ``None`` without any."""
    return next((record for record in records if record.state == 'running'), None)


def process_of(record: RunRecord) -> str:
    """Who works on a run, in words; what its log does not say is left out."""
    last = record.attempts[-1] if record.attempts else None
    pid = last and last.pid
    host = last and last.host
    return (f'process {pid}' if pid else 'a process') + (f' on {host}' if host else '')


def row_seeds(
    spec: TableSpec,
    records: Iterable[RunRecord],
    configs: Mapping[str, RowConfig] | None = None,
) -> list[RowSeed]:
    """Every row that has runs of its own under every seed of a table.

    Args:
        spec, records, configs: as for :func:`mmaction_ext.tables.build_table`.

    Returns:
        :class:`RowSeed` list, row by row.

    Raises:
        InputError: a row's config cannot be read.
    """
    table_results = RunResults(spec, records, configs or resolve_configs(spec), {})
    return [
        _row_seed(row, seed, table_results, of_seed)
        for row, seed, of_seed in run_results(spec, CellBuilder(spec, table_results).measured)
    ]


def kept_row_seeds(
    spec: TableSpec, locked: LockedTable, configs: Mapping[str, RowConfig]
) -> set[tuple[str, int]]:
    """Rows and seeds of which a lock holds every metric, of the configs as they stand.

    Args:
        spec, configs: as for :func:`mmaction_ext.tables.build_table`.
        locked: what the lock has of the table.

    Returns:
        Pairs of the id of a row, or of a fold of one, and a seed.
    """
    builder = CellBuilder(spec, LockedResults(spec, locked, configs, {}))
    return {
        (row.id, seed)
        for row, seed, of_seed in run_results(spec, builder.measured)
        if of_seed and all(result.status is CellStatus.OK for result in of_seed)
    }


def _row_seed(
    row: Row, seed: int, table_results: RunResults, of_seed: Iterable[SeedResult]
) -> RowSeed:
    """By the :class:`mmaction_ext.tables.SeedResult` of each of its metrics."""
    runs = table_results.seeds[row.id, seed]
    worst = min(
        (result for result in of_seed if result.status in SEVERITY),
        key=lambda result: SEVERITY.index(result.status),
        default=None,
    )
    return RowSeed(
        row,
        seed,
        table_results.configs[row.id],
        worst.status if worst else CellStatus.OK,
        worst.reason if worst else '',
        tuple(runs.fresh),
        tuple(runs.stale + runs.lost),
    )
