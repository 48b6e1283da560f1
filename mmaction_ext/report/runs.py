"""A section for each run: who it is, how its attempts went, what was measured."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup

from mmaction_ext.report.addresses import run_id
from mmaction_ext.report.markup import render
from mmaction_ext.report.table_parts import rows_with_runs
from mmaction_ext.tables.cells import Measurement, Table, TableRow
from mmaction_ext.tables.seed_runs import TEST_FACTS
from mmaction_ext.tracking.reading.record import Evaluation, RunRecord

#: uid to the (table, row) pairs that show what a run measured, or why it does not count.
Uses = Mapping[str, Sequence[tuple[Table, TableRow]]]

_BAD_STATES = ('diverged', 'failed', 'killed')
_CLASS = re.compile(r'test/(class|motion)/top1_(class)?\d+')


def runs_by_uid(records: Sequence[RunRecord]) -> dict[str, list[RunRecord]]:
    """uid to the records with that id: a training, tests of its checkpoints."""
    found: dict[str, list[RunRecord]] = {}
    for record in records:
        found.setdefault(record.uid, []).append(record)
    return found


def uses(tables: Sequence[Table]) -> dict[str, list[tuple[Table, TableRow]]]:
    """uid to the (table, row) pairs that show what it measured, or why it does not count."""
    found: dict[str, list[tuple[Table, TableRow]]] = {}
    for table in tables:
        for row in rows_with_runs(table):
            columns = zip(table.columns, row.cells, strict=True)
            uids = {
                uid for column, cell in columns if column.kind == 'history' for uid in cell.runs
            }
            for uid in sorted(uids):
                found.setdefault(uid, []).append((table, row))
    return found


def absent_runs(
    tables: Sequence[Table], runs: Mapping[str, Sequence[RunRecord]]
) -> dict[str, list[Measurement]]:
    """Runs that tables name, but of which nothing lies here: those of a lock file alone.

    Args:
        tables: the tables.
        runs: what :func:`runs_by_uid` found.

    Returns:
        uid to what was measured of it, in order.
    """
    found: dict[str, list[Measurement]] = {}
    for table in tables:
        for item in table.measurements:
            for uid in item.result.runs:
                if uid not in runs and item.seed is not None:
                    found.setdefault(uid, []).append(item)
    return dict(
        sorted(found.items(), key=lambda pair: (pair[1][0].config, pair[1][0].seed, pair[0]))
    )


def runs_section(
    records: Sequence[RunRecord], absent: Mapping[str, Sequence[Measurement]], used: Uses
) -> Markup:
    """HTML of all runs, under their configs, and of those of which only a lock file tells.

    Args:
        records: the runs, sorted by :func:`mmaction_ext.tracking.reading.record.order`.
        absent: what :func:`absent_runs` found.
        used: what :func:`uses` found.
    """
    configs = [
        (config, [view for _, copies in groupby(members, run_id) for view in _views(copies, used)])
        for config, members in groupby(records, key=lambda record: record.config)
    ]
    others = [_AbsentRun(uid, items, used.get(uid, ())) for uid, items in absent.items()]
    return render('runs.html.j2', configs=configs, absent=others)


def _views(copies: Iterable[RunRecord], used: Uses) -> list['_Run']:
    """A run, and copies of it, which have no address of their own."""
    return [
        _Run(record, '' if i else run_id(record), used.get(record.uid, ()))
        for i, record in enumerate(copies)
    ]


@dataclass(frozen=True)
class _Run:
    """What the page says of a run."""

    record: RunRecord
    address: str
    places: Sequence[tuple[Table, TableRow]]

    @property
    def state(self) -> str:
        record = self.record
        return 'diverged' if record.diverged and record.state != 'running' else record.state

    @property
    def mark(self) -> str:
        return {'finished': 'good', **dict.fromkeys(_BAD_STATES, 'bad')}.get(self.state, '')

    @property
    def top1(self) -> float | None:
        """Accuracy of the last test that has one."""
        values = [item.values.get('test/acc/top1') for item in self.record.evaluations]
        return next((value for value in values[::-1] if isinstance(value, (int, float))), None)

    @property
    def model(self) -> dict[str, object]:
        return {
            name: f'{value:,}' if isinstance(value, int) else value
            for name, value in self.record.complexity.items()
        }

    @property
    def tests(self) -> list['_Test']:
        return [_Test(item) for item in self.record.evaluations]


@dataclass(frozen=True)
class _Test:
    """What the page says of an evaluation on the test split."""

    evaluation: Evaluation

    @property
    def checkpoint(self) -> Mapping[str, object]:
        digest = self.evaluation.values.get('test/checkpoint_sha256')
        return self.evaluation.checkpoint or ({'sha256': digest} if digest else {})

    @property
    def metrics(self) -> dict[str, object]:
        """Without those of single classes, and without what was said of the protocol."""
        return {
            name: f'{value:.6g}' if isinstance(value, float) else value
            for name, value in self.evaluation.values.items()
            if name.startswith('test/') and name not in TEST_FACTS and not _CLASS.fullmatch(name)
        }


@dataclass(frozen=True)
class _AbsentRun:
    """What the page says of a run that is known only from what a table took from it."""

    uid: str
    measured: Sequence[Measurement]
    places: Sequence[tuple[Table, TableRow]]

    @property
    def metrics(self) -> dict[str, str]:
        return {
            item.metric: f'{float(item.result.value):.6g}'
            for item in self.measured
            if item.result.value is not None
        }

    @property
    def evaluation(self) -> Mapping[str, object]:
        """Facts about one of its measurements."""
        facts = (item.result.evaluation for item in self.measured)
        return next(filter(None, facts), {})
