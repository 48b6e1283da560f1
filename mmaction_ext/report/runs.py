"""A section for each run: who it is, how its attempts went, what was measured."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup

from mmaction_ext.report.addresses import run_id
from mmaction_ext.report.markup import render
from mmaction_ext.report.table_parts import rows_with_runs
from mmaction_ext.tables.cells import Measurement, Table, TableRow
from mmaction_ext.tables.run_summary import RunSummary

#: uid to the (table, row) pairs that show what a run measured, or why it does not count.
Uses = Mapping[str, Sequence[tuple[Table, TableRow]]]

_BAD_STATES = ('diverged', 'failed', 'killed')


def runs_by_uid(runs: Sequence[RunSummary]) -> dict[str, list[RunSummary]]:
    """uid to the runs with that id: a training, tests of its checkpoints."""
    found: dict[str, list[RunSummary]] = {}
    for run in runs:
        found.setdefault(run.uid, []).append(run)
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
    tables: Sequence[Table], runs: Mapping[str, Sequence[RunSummary]]
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
    runs: Sequence[RunSummary], absent: Mapping[str, Sequence[Measurement]], used: Uses
) -> Markup:
    """HTML of all runs, under their configs, and of those of which only a lock file tells.

    Args:
        runs: the runs, those of a config beside each other.
        absent: what :func:`absent_runs` found.
        used: what :func:`uses` found.
    """
    configs = [
        (config, [view for _, copies in groupby(members, run_id) for view in _views(copies, used)])
        for config, members in groupby(runs, key=lambda run: run.config)
    ]
    others = [_AbsentRun(uid, items, used.get(uid, ())) for uid, items in absent.items()]
    return render('runs.html.j2', configs=configs, absent=others)


def _views(copies: Iterable[RunSummary], used: Uses) -> list['_Run']:
    """A run, and copies of it, which have no address of their own."""
    return [
        _Run(run, '' if i else run_id(run), used.get(run.uid, ())) for i, run in enumerate(copies)
    ]


@dataclass(frozen=True)
class _Run:
    """What stands around the summary of a run."""

    summary: RunSummary
    address: str
    places: Sequence[tuple[Table, TableRow]]

    @property
    def mark(self) -> str:
        states = {'finished': 'good', **dict.fromkeys(_BAD_STATES, 'bad')}
        return states.get(self.summary.state, '')

    @property
    def top1(self) -> float | None:
        """Accuracy of the last test that has one."""
        values = [test.metrics.get('test/acc/top1') for test in self.summary.tests]
        return next((value for value in values[::-1] if isinstance(value, (int, float))), None)


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
