"""What a suite is to run: the jobs of several tables, each once, with what it needs and costs."""

import functools
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from mmaction_ext.errors import InputError, did_you_mean
from mmaction_ext.suites.compute import TrainingCompute, training_compute
from mmaction_ext.suites.pace import Pace
from mmaction_ext.tables import TableSpec, resolve_configs
from mmaction_ext.tables.complexity import Counts
from mmaction_ext.tables.gaps import COMMANDS, Gap, Job, find_gaps
from mmaction_ext.tables.row_results import LockedTable
from mmaction_ext.tables.row_seeds import kept_row_seeds, row_seeds
from mmaction_ext.tables.run_index import RunIndex
from mmaction_ext.tables.seed_runs import RowConfig
from mmaction_ext.tracking.identity import config_name, load_config, network_of
from mmaction_ext.tracking.reading.record import RunRecord

_KINDS = list(COMMANDS)
#: what a kill costs at most, where nobody says otherwise
CHECKPOINT_INTERVAL = '10min'


@dataclass(frozen=True)
class Task:
    """A job of a suite.

    Attributes:
        job: what is run.
        config_hash: hash of its config as it stands in the tree.
        needs: :attr:`run` of the tasks of this suite that come before it.
        serves: the rows and seeds that lack it, ``table: row/seed0``.
        keep_best: validation metrics whose best checkpoint is kept, as ``acc/top1``: those by
            which tables select.
        checkpoint_interval: how often a checkpoint is saved between epochs, as ``10min``; empty
            where the config says so itself.
        compute: what it takes.
        seconds: how long it takes on this machine, one process; ``None`` where nobody knows.
    """

    job: Job
    config_hash: str = ''
    needs: tuple[str, ...] = ()
    serves: tuple[str, ...] = ()
    keep_best: tuple[str, ...] = ()
    checkpoint_interval: str = ''
    compute: TrainingCompute = field(default_factory=TrainingCompute)
    seconds: float | None = None

    @property
    def run(self) -> str:
        """Folder of the run below that of all runs, which names the task."""
        return self.job.run

    def arguments(self, processes: int = 1) -> list[str]:
        """The words after ``mmaction-ext``.

        Args:
            processes: how many train together, one per GPU.
        """
        words = [self.job.command, *self.job.arguments]
        if self.job.kind != 'train':
            return words
        for metric in self.keep_best:
            words += ['--keep-best', metric]
        if self.checkpoint_interval:
            words += ['--checkpoint-interval', self.checkpoint_interval]
        if processes > 1:
            words += ['--gpus', str(processes)]
        return [*words, '--config-hash', self.config_hash]


@dataclass(frozen=True)
class Goal:
    """A row of a table that runs would complete.

    Attributes:
        table, row: ids.
        runs: :attr:`Task.run` of all that it lacks.
        cells: how many cells it has that are measured.
    """

    table: str
    row: str
    runs: frozenset[str]
    cells: int


@dataclass(frozen=True)
class SuitePlan:
    """What some tables lack.

    Attributes:
        tasks: each run once, so that each comes after what it needs.
        goals: the rows that they would complete.
        left: (table, gap) of what lacks a result and has nothing to be started.
        done: how many rows and seeds have their result.
        total: how many there are.
    """

    tasks: tuple[Task, ...] = ()
    goals: tuple[Goal, ...] = ()
    left: tuple[tuple[str, Gap], ...] = ()
    done: int = 0
    total: int = 0

    def without(self, runs: Iterable[str]) -> 'SuitePlan':
        """The same without some runs, and without those that need them."""
        gone = set(runs)
        for task in self.tasks:  # in an order in which each comes after what it needs
            if gone.intersection(task.needs):
                gone.add(task.run)
        return replace(self, tasks=tuple(task for task in self.tasks if task.run not in gone))

    def timed(self, measured: Mapping[str, float]) -> 'SuitePlan':
        """The same with lengths of trainings that nobody knew.

        Args:
            measured: seconds of a training by the hash of its config; others go by their
                multiply-adds, at the median pace of these.
        """
        costs = {task.config_hash: task.compute.training for task in self.tasks}
        rates = [seconds / cost for key, seconds in measured.items() if (cost := costs.get(key))]
        rate = statistics.median(rates) if rates else None

        def known(task: Task) -> Task:
            if task.seconds is not None or task.job.kind != 'train':
                return task
            seconds = measured.get(task.config_hash)
            if seconds is None and rate is not None and task.compute.training:
                seconds = rate * task.compute.training
            return replace(task, seconds=seconds)

        return replace(self, tasks=tuple(map(known, self.tasks)))

    def within(self, seconds: float) -> 'SuitePlan':
        """The runs that complete the most cells in some time, those first that do so soonest.

        Row by row, the one with the most cells for the time that it still takes; what time is left
        then goes to runs of rows that stay incomplete. A run of unknown length counts as long as
        the mean of the others; where none is known, by its multiply-adds, or as one hour.

        Args:
            seconds: of one run after the other; twice as many for two at a time.

        Returns:
            A plan of those tasks, in that order but that each comes after what it needs.
        """
        tasks = {task.run: task for task in self.tasks}
        length = _lengths(self.tasks)
        chosen: dict[str, None] = {}
        spent = 0.0

        def cost(goal: Goal) -> float:
            return sum(length[run] for run in goal.runs if run not in chosen)

        def take(runs: Iterable[str]) -> None:
            nonlocal spent
            wanted = {run for run in runs if run not in chosen}
            spent += sum(length[run] for run in wanted)
            chosen.update((run, None) for run in tasks if run in wanted)

        goals = [goal for goal in self.goals if goal.runs <= tasks.keys()]
        while goals:
            affordable = [goal for goal in goals if spent + cost(goal) <= seconds]
            if not affordable:
                break
            best = max(affordable, key=lambda goal: goal.cells / max(cost(goal), 1e-9))
            take(best.runs)
            goals = [goal for goal in affordable if not goal.runs <= chosen.keys()]
        for run, task in tasks.items():
            if chosen.keys() >= set(task.needs) and spent + length[run] <= seconds:
                take([run])
        return replace(self, tasks=tuple(tasks[run] for run in chosen))


def _lengths(tasks: Sequence[Task]) -> dict[str, float]:
    """Seconds of each task for a budget, known or assumed."""
    known = [task.seconds for task in tasks if task.seconds is not None]
    macs = [task.compute.training for task in tasks if task.compute.training]
    mean = sum(known) / len(known) if known else 3600.0
    scale = 3600.0 * len(macs) / sum(macs) if macs and not known else None
    return {
        task.run: task.seconds
        if task.seconds is not None
        else task.compute.training * scale
        if scale and task.compute.training
        else mean
        for task in tasks
    }


def plan_suite(
    specs: Sequence[TableSpec],
    records: Sequence[RunRecord],
    counts: Counts,
    rows: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    load: Callable[..., dict[str, Any]] = load_config,
    checkpoint_interval: str | None = None,
    locked: Mapping[str, LockedTable] | None = None,
) -> SuitePlan:
    """What some tables lack, each run once whoever needs it.

    Args:
        specs: the tables.
        records: run records, with the metrics of the tables and
            :data:`mmaction_ext.suites.pace.STEP_TIME`.
        counts: see :func:`mmaction_ext.tables.read_complexity`.
        rows: ids of rows, or of folds of rows, that are asked for; all if ``None``.
        seeds: seeds that are asked for, instead of each table's.
        load: reads a config file.
        checkpoint_interval: see :class:`Task`; for all trainings, or if ``None``
            :data:`CHECKPOINT_INTERVAL` for those whose config has none.
        locked: table id to what a lock has of it; its results count as done.

    Raises:
        InputError: a row that is asked for is in none of the tables, or is not trained here; a
            config cannot be read.
    """
    _check_rows(specs, rows)
    load = functools.cache(load)
    records = RunIndex.of(records)
    suite = _Builder(
        records, counts, load, Pace.of(records), len(specs) > 1, checkpoint_interval, locked or {}
    )
    for spec in specs:
        asked = replace(spec, seeds=tuple(dict.fromkeys(seeds or spec.seeds)))
        suite.add(asked, rows)
    return suite.plan()


def _check_rows(specs: Sequence[TableSpec], rows: Sequence[str] | None) -> None:
    there = [row.id for spec in specs for row in spec.rows if row.config]
    there += [part.id for spec in specs for row in spec.rows for part in spec.folds_of(row)]
    tables = ', '.join(str(spec.path) for spec in specs)
    if not there:
        raise InputError(f'{tables} has no row that is trained here')
    for row in rows or ():
        if row not in there:
            raise InputError(
                f'{tables} has no row {row} to train; it has '
                f'{", ".join(dict.fromkeys(there))}{did_you_mean(row, there)}'
            )


@dataclass
class _Builder:
    """Puts the gaps of several tables together."""

    records: Sequence[RunRecord]
    counts: Counts
    load: Callable[..., dict[str, Any]]
    pace: Pace
    several: bool
    checkpoint_interval: str | None
    locked: Mapping[str, LockedTable]
    tasks: dict[str, Task] = field(default_factory=dict)
    goals: list[Goal] = field(default_factory=list)
    left: list[tuple[str, Gap]] = field(default_factory=list)
    done: int = 0
    total: int = 0

    def add(self, spec: TableSpec, rows: Sequence[str] | None) -> None:
        """The gaps of one table."""
        parts = {part.id: row.id for row in spec.rows for part in spec.folds_of(row)}
        configs = resolve_configs(spec, self.load)
        found = [
            each
            for each in row_seeds(spec, self.records, configs)
            if each.row.config
            and (rows is None or {each.row.id, parts.get(each.row.id)} & {*rows})
        ]
        kept = kept_row_seeds(spec, self.locked.get(spec.id, LockedTable()), configs)
        lacking_here = [each for each in found if (each.row.id, each.seed) not in kept]
        gaps = find_gaps(lacking_here, spec, self.records, self.load)
        self.total += len(found)
        self.done += len(found) - len(gaps)
        logged = sum(column.kind == 'history' for column in spec.columns)
        lacking: dict[str, list[Gap]] = {}
        for gap in gaps:
            lacking.setdefault(parts.get(gap.row_seed.row.id, gap.row_seed.row.id), []).append(gap)
            if not gap.jobs:
                self.left.append((spec.id, gap))
            for job in gap.jobs:
                self._add(job, gap, spec)
        for row, of_row in lacking.items():
            if all(gap.jobs for gap in of_row):
                runs = frozenset(job.run for gap in of_row for job in gap.jobs)
                self.goals.append(Goal(spec.id, row, runs, logged))

    def _add(self, job: Job, gap: Gap, spec: TableSpec) -> None:
        order = _KINDS.index(job.kind)
        needs = [each.run for each in gap.jobs if _KINDS.index(each.kind) < order]
        serves = f'{spec.id}: {gap.row_seed.name}'
        selects = [spec.select, *(column.select for column in spec.columns if column.select)]
        best = [
            select.metric.removeprefix('val/')
            for select in selects
            if select.policy == 'best' and select.metric
        ]
        if self.several:  # rows of several tables have the same ids
            job = replace(job, name=job.run)
        known = self.tasks.get(job.run) or self._task(job, gap.row_seed.config)
        self.tasks[job.run] = replace(
            known,
            needs=_joined(known.needs, needs),
            serves=_joined(known.serves, [serves]),
            keep_best=_joined(known.keep_best, best if job.kind == 'train' else []),
        )

    def _task(self, job: Job, of_row: RowConfig) -> Task:
        fold = [job.fold] if job.fold else []
        content = self.load(job.config, *fold)
        config = RowConfig.of(
            config_name(job.config, *fold),
            content,
            code=of_row.code,
            network=network_of(job.config, self.load, job.fold),
        )
        compute = training_compute(config, content, self.records, self.counts)
        if job.kind != 'train':
            compute = replace(compute, length=None, samples=None, clips=None)
        seconds = self.pace.seconds(config, compute) if job.kind == 'train' else None
        interval = self.checkpoint_interval
        if interval is None:
            interval = '' if content.get('checkpoint_interval') else CHECKPOINT_INTERVAL
        return Task(
            job,
            config.digest,
            checkpoint_interval=interval,
            compute=compute,
            seconds=seconds,
        )

    def plan(self) -> SuitePlan:
        """All that was added."""
        tasks = sorted(
            self.tasks.values(), key=lambda task: (_KINDS.index(task.job.kind), task.job.seed)
        )
        return SuitePlan(tuple(tasks), tuple(self.goals), tuple(self.left), self.done, self.total)


def _joined(some: Iterable[str], others: Iterable[str]) -> tuple[str, ...]:
    """Both, each once, in the order in which they came."""
    return tuple(dict.fromkeys([*some, *others]))
