"""Where a table's measurements come from: the runs, or the lock that froze them.

Both answer the same two questions, ``result`` and ``complexity``.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mmaction_ext.tables import protocol
from mmaction_ext.tables.cells import CellStatus, Measurement, SeedResult, Table
from mmaction_ext.tables.complexity import Counts, compared, complexity_result
from mmaction_ext.tables.run_index import RunIndex
from mmaction_ext.tables.seed_runs import RowConfig, SeedRuns, resolve_configs
from mmaction_ext.tables.spec import Column, TableSpec
from mmaction_ext.tracking.reading.conflicts import same
from mmaction_ext.tracking.reading.record import RunRecord


class RunResults:
    """What the runs say.

    Args:
        spec: :class:`mmaction_ext.tables.spec.TableSpec`.
        records: :class:`mmaction_ext.tracking.reading.record.RunRecord` of any runs, in any order.
        configs: row id to :class:`mmaction_ext.tables.seed_runs.RowConfig`.
        complexity: see :func:`mmaction_ext.tables.complexity.complexity_result`.
    """

    def __init__(
        self,
        spec: TableSpec,
        records: Iterable[RunRecord],
        configs: Mapping[str, RowConfig],
        complexity: Counts,
    ) -> None:
        self.configs, self.counts, self.protocol = configs, complexity, spec.protocol
        self.records = RunIndex.of(records)
        self.seeds = {
            (row.id, seed): SeedRuns(
                self.records.named(configs[row.id].name),
                configs[row.id],
                seed,
                spec.select,
                spec.protocol,
            )
            for row in spec.with_runs
            for seed in spec.seeds
        }

    def result(self, row_id: str, seed: int, column: Column) -> SeedResult:
        """The logged metric of a column for a row under a seed, in the logged unit."""
        if column.select is None:
            return self.seeds[row_id, seed].result(column.metric)
        config = self.configs[row_id]
        return SeedRuns(
            self.records.named(config.name), config, seed, column.select, self.protocol
        ).result(column.metric)

    def complexity(self, row_id: str, column: Column) -> SeedResult:
        """Parameters or multiply-adds of the model of a row."""
        config = self.configs[row_id]
        return complexity_result(self.records.like(config), config, column.name, self.counts)


@dataclass(frozen=True)
class LockedTable:
    """What a lock file keeps of a table.

    Attributes:
        select, protocol: which results counted, in words.
        results: :class:`mmaction_ext.tables.cells.Measurement` tuple.
    """

    select: str = ''
    protocol: str = ''
    results: tuple[Measurement, ...] = ()


class LockedResults:
    """What a lock says; what it does not hold had no run.

    Args:
        spec, configs, complexity: as for :class:`RunResults`.
        locked: the table's :class:`LockedTable`.
    """

    def __init__(
        self,
        spec: TableSpec,
        locked: LockedTable,
        configs: Mapping[str, RowConfig],
        complexity: Counts,
    ) -> None:
        self.configs, self.counts = configs, complexity
        self.kept = {(item.row, item.seed, item.metric): item for item in locked.results}
        self.changed = ''
        if (locked.select, locked.protocol) != (
            str(spec.select),
            protocol.describe(spec.protocol),
        ):
            self.changed = 'locked under another selection of checkpoints or protocol'

    def result(self, row_id: str, seed: int, column: Column) -> SeedResult:
        """As :meth:`RunResults.result`; stale where the tree has changed since."""
        item = self.kept.get((row_id, seed, column.measure))
        if item is None:
            return SeedResult(seed, CellStatus.MISSING, None, 'no run')
        reason = self.changed or self._why_stale(item)
        if reason:
            return SeedResult(seed, CellStatus.STALE, None, reason, item.result.runs)
        return item.result

    def complexity(self, row_id: str, column: Column) -> SeedResult:
        """As :meth:`RunResults.complexity`."""
        item = self.kept.get((row_id, None, column.source))
        if item is None or self._other_config(item):
            return complexity_result((), self.configs[row_id], column.name, self.counts)
        if item.result.value is None:
            return item.result
        return compared(item.result, self.configs[row_id], column.name, self.counts)

    def _why_stale(self, item: Measurement) -> str:
        if self._other_config(item):
            return 'locked from a run of another version of the config'
        code = self.configs[item.row].code
        test = item.result.evaluation
        if code.is_other(test.get('code'), test.get('own')):
            return 'locked from a run of another version of the code'
        return ''

    def _other_config(self, item: Measurement) -> bool:
        return not self.configs[item.row].is_named(item.config, item.config_hash)


def locked_table(table: Table, spec: TableSpec) -> LockedTable:
    """What a lock file keeps of a table that was built from runs."""
    return LockedTable(str(spec.select), protocol.describe(spec.protocol), table.measurements)


def lost_results(
    kept: LockedTable,
    table: Table,
    spec: TableSpec,
    records: Sequence[RunRecord],
    configs: Mapping[str, RowConfig] | None = None,
) -> list[str]:
    """Results of a lock of which a table built from runs has no number any more.

    One may go whose config or code was edited, or of which the table asks for another protocol or
    checkpoint by now, so that its own lock would not show it either, if the run that logged it
    was read: it is measured again, or the edit undone, without loss. So may one of a row, seed or
    column that the table has no more. Whatever else became of its run, be it gone, damaged or in
    conflict with another, is none that should take the place of a number.

    Args:
        kept: the :class:`LockedTable` as it is.
        table: what was built, the :class:`mmaction_ext.tables.cells.Table`.
        spec: its :class:`mmaction_ext.tables.spec.TableSpec`.
        records: :class:`RunRecord` of the runs it was built from.
        configs: as for :func:`mmaction_ext.tables.build_table`.

    Returns:
        What became of a metric of each row and seed, in words, sorted.
    """
    now = {_key(item): item.result for item in table.measurements}
    columns = {column.measure: column for column in spec.columns if column.kind == 'history'}
    wanted = {
        (row.id, seed, measure)
        for row in spec.with_runs
        for seed in spec.seeds
        for measure in columns
    }
    gone = [
        item
        for item in kept.results
        if item.result.status is CellStatus.OK
        and _key(item) in wanted
        and (_key(item) not in now or now[_key(item)].status is not CellStatus.OK)
    ]
    if not gone:
        return []
    locked = LockedResults(spec, kept, configs or resolve_configs(spec), {})
    lost: dict[tuple[str, int | None], str] = {}
    for item in gone:
        shown = locked.result(item.row, item.seed or 0, columns[item.metric])
        is_stale = shown.status is CellStatus.STALE
        if not (is_stale and any(_logged(record, item) for record in records)):
            lost[item.row, item.seed] = _what_became(item, now.get(_key(item)))
    return [lost[key] for key in sorted(lost, key=lambda key: (key[0], key[1] or 0))]


def _what_became(item: Measurement, result: SeedResult | None) -> str:
    where = f'row {item.row}, seed {item.seed} is'
    if result is None:
        return f'{where} in no sound run that was read'
    return f'{where} now {result.status.value} ({result.reason})'


def _key(item: Measurement) -> tuple[str, int | None, str]:
    return item.row, item.seed, item.metric


def _logged(record: RunRecord, item: Measurement) -> bool:
    """Whether a run is one that a measurement was taken from, and still tells it."""
    if item.result.runs:
        is_source = record.uid in item.result.runs
    else:  # a line of a CSV file
        is_source = not record.uid and (record.config, record.seed) == (item.config, item.seed)
    metric = item.metric.partition(' at ')[0]
    rows = (
        [
            *record.rows.get(metric.partition('/')[0], ()),
            *(test.values for test in record.evaluations),
            record.summary,
        ]
        if is_source
        else ()
    )
    return any(same(row.get(metric), float(item.result.value or 0)) for row in rows)
