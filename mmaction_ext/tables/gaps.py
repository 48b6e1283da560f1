"""What fills the gaps of a table: which runs to make, in which order, by which commands."""

from __future__ import annotations

import functools
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mmaction_ext.tables.cells import CellStatus
from mmaction_ext.tables.row_seeds import RowSeed, living_run, process_of
from mmaction_ext.tables.run_index import RunIndex
from mmaction_ext.tables.seed_runs import RowConfig, SeedRuns, without_metric
from mmaction_ext.tables.spec import LAST, TableSpec
from mmaction_ext.tracking.identity import (
    LoadConfig,
    config_name,
    ensemble_members,
    load_config,
    shared_fold,
    weights_source,
)
from mmaction_ext.tracking.reading.record import RunRecord

#: what is done with a config, and the command that does it, in the order in which one needs those
#: before it
COMMANDS = {'train': 'train', 'test': 'test', 'weights_of': 'test', 'ensemble': 'test-ensemble'}
#: what to do where finished runs log no such metric
NO_SUCH_METRIC = 'another run would log no other: mend the column, or what the config evaluates'
#: states that another run would not mend, and what to do
LOOK_FIRST = {
    CellStatus.CONFLICT: 'remove what is wrong first',
    CellStatus.UNTRUSTED: 'remove what is wrong first',
    CellStatus.DIVERGED: 'change its recipe first: it would diverge again',
}


def job_kind(content: Mapping[str, Any]) -> str:
    """What is done with a resolved config: ``'train'``, ``'weights_of'`` or ``'ensemble'``."""
    if 'ensemble' in content:
        return 'ensemble'
    return 'weights_of' if content.get('weights_of') else 'train'


@dataclass(frozen=True)
class Job:
    """A run to be made.

    Attributes:
        name: ``row/seed0``, or with the config's name where the table has no such row.
        kind: see :func:`job_kind`; ``'test'`` for a run that is trained and lacks the test alone.
        config: the config file.
        seed: the seed.
        fold: the fold of the config; empty for none.
        best: metric of the validation by which the checkpoint is the best that is tested, as
            ``acc/top1``; empty for the last one.
    """

    name: str
    kind: str
    config: Path
    seed: int
    fold: str = ''
    best: str = ''

    @property
    def run(self) -> str:
        """Folder of the run below that of all runs."""
        return f'{config_name(self.config, self.fold)}/seed{self.seed}'

    @property
    def command(self) -> str:
        """Name of the command that makes it."""
        return COMMANDS[self.kind]

    @property
    def arguments(self) -> list[str]:
        """What follows its name; a training goes on where an earlier one ended."""
        resume = ['--resume'] if self.kind == 'train' else []
        fold = ['--fold', self.fold] if self.fold else []
        path = str(self.config)
        return [
            f'./{path}' if path.startswith('-') else path,
            *fold,
            '--seed',
            str(self.seed),
            *resume,
            *(['--best', self.best] if self.best else []),
        ]

    def line(self, gpus: int = 1) -> str:
        """The line that a shell takes.

        Args:
            gpus: number of processes that train.
        """
        spread = ['--gpus', str(gpus)] if self.kind == 'train' and gpus > 1 else []
        return shlex.join(['mmaction-ext', self.command, *self.arguments, *spread])


@dataclass(frozen=True)
class Gap:
    """A row and seed whose result a table lacks.

    Attributes:
        row_seed: the row and seed.
        jobs: what to run, its own run last; before it those whose weights or predictions it takes
            and that are lacking, too. Empty where nothing is to be started.
        obstacle: why nothing is to be started, in words.
    """

    row_seed: RowSeed
    jobs: tuple[Job, ...] = ()
    obstacle: str = ''

    @property
    def reason(self) -> str:
        """Why the result is lacking, and why nothing is to be started."""
        return '; '.join(filter(None, (self.row_seed.reason, self.obstacle)))


def find_gaps(
    found: Iterable[RowSeed],
    spec: TableSpec,
    records: Sequence[RunRecord],
    load: LoadConfig = load_config,
) -> list[Gap]:
    """What a table lacks and what to run for it.

    Nothing is to be started where a process works on the row and seed, or on what it needs, and
    where another run would not help.

    Args:
        found: :func:`mmaction_ext.tables.row_seeds.row_seeds` of the table, or some of them.
        spec: :class:`mmaction_ext.tables.TableSpec`.
        records: :class:`mmaction_ext.tracking.reading.record.RunRecord` of any runs.
        load: reads a config file; one that remembers serves several tables.

    Returns:
        :class:`Gap` list, in the same order.

    Raises:
        InputError: a config cannot be read.
    """
    finder = _Finder(spec, records, load)
    return [finder.gap(row_seed) for row_seed in found if not row_seed.is_done]


def ordered_jobs(gaps: Iterable[Gap]) -> list[Job]:
    """The jobs of some gaps, each once, so that each finds what it needs.

    Returns:
        :class:`Job` list: trainings, then tests of their weights, then ensembles; of each, those
        of the first seed first.
    """
    once: dict[str, Job] = {}
    for job in (job for gap in gaps for job in gap.jobs):
        once.setdefault(job.run, job)
    order = list(COMMANDS)
    return sorted(once.values(), key=lambda job: (order.index(job.kind), job.seed))


class _Finder:
    """Finds what fills the gaps of one table."""

    def __init__(self, spec: TableSpec, records: Sequence[RunRecord], load: LoadConfig) -> None:
        self.rows = {row.config_name: row for row in spec.configured}
        self.metrics, self.protocol = spec.metrics, spec.protocol
        own = (column.select for column in spec.columns if column.select)
        self.selects = list(dict.fromkeys([spec.select, *own]))
        self.records, self.load = RunIndex.of(records), functools.cache(load)
        self.sources = functools.cache(self._sources)

    def gap(self, row_seed: RowSeed) -> Gap:
        """What fills the gap of one that is not done."""
        if row_seed.status in LOOK_FIRST:
            return Gap(row_seed, obstacle=LOOK_FIRST[row_seed.status])
        if row_seed.row.foreign:
            return Gap(row_seed, obstacle='its runs are not made here')
        if row_seed.living:
            return Gap(row_seed, obstacle=f'{process_of(row_seed.living)} works on it')
        if row_seed.status is CellStatus.MISSING and any(
            without_metric(record, metric) for record in row_seed.fresh for metric in self.metrics
        ):
            return Gap(row_seed, obstacle=NO_SUCH_METRIC)
        jobs, (config, *fold) = [], row_seed.row.load_arguments
        assert config is not None, 'a row with seeds has a config'
        for source in self.sources(config, *fold):
            job, runs = self._job(*source, seed=row_seed.seed), self._runs(row_seed, *source)
            living = living_run(runs.fresh + runs.stale + runs.lost)
            if any(map(_is_complete, runs.fresh)):
                continue
            if living:
                return Gap(
                    row_seed, obstacle=f'{process_of(living)} works on {job.name}, which it needs'
                )
            jobs.append(job)
        own = self._job(config, *fold, seed=row_seed.seed)
        return Gap(row_seed, (*jobs, self._cheapest(own, row_seed)))

    def _cheapest(self, job: Job, row_seed: RowSeed) -> Job:
        """The test alone, where that is all that a training still lacks."""
        for select in self.selects if job.kind == 'train' else ():
            runs = SeedRuns(
                self.records.named(row_seed.config.name),
                row_seed.config,
                row_seed.seed,
                select,
                self.protocol,
            )
            if runs.is_to_be_tested:
                best = (select.metric or '').removeprefix('val/')
                return replace(job, kind='test', best=best if select.policy == 'best' else '')
        return job

    def _sources(self, path: Path, *fold: str) -> list[tuple[Any, ...]]:
        """Configs on whose runs one is tested, and their folds, in the order to make them in."""
        content = self.load(path, *fold)
        if job_kind(content) == 'train':
            return []
        needed = [*ensemble_members(path, content), weights_source(path, content)]
        found: list[tuple[Any, ...]] = []
        for source in filter(None, needed):
            own = shared_fold(source, *fold)
            found += [*self._sources(source, *own), (source, *own)]
        return found

    def _runs(self, row_seed: RowSeed, path: Path, *fold: str) -> SeedRuns:
        """The runs of a source, told apart by the code that the table tracks."""
        name, content = config_name(path, *fold), self.load(path, *fold)
        config = RowConfig.of(name, content, code=row_seed.config.code)
        return SeedRuns(self.records.named(name), config, row_seed.seed, LAST)

    def _job(self, path: Path, *fold: str, seed: int) -> Job:
        name = config_name(path, *fold)
        row = self.rows.get(name)
        name, path = (row.id, row.config or path) if row else (name, path)
        return Job(f'{name}/seed{seed}', job_kind(self.load(path, *fold)), path, seed, *fold)


def _is_complete(record: RunRecord) -> bool:
    """Whether weights or predictions of a run are there to be taken."""
    return record.finished and not record.imported
