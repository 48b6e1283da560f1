"""Show how runs are doing: state, progress, time left, last result, last error.

Takes tables, of which every row is shown under every seed, and folders of runs.
"""

import functools
import math
import sys
import time
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from mmaction_ext.cli.common import (
    DEFAULT_RUNS,
    add_json_option,
    add_runs_option,
    add_tables_argument,
    find_suite,
    load_tables,
    needed_metrics,
    note_unlisted_runs,
    queued,
    read_records,
)
from mmaction_ext.cli.text import clean, columns, cut, duration, is_screen, line_width, print_json
from mmaction_ext.errors import InputError, check_positive
from mmaction_ext.suites.progress import Progress, progress, schedule_of
from mmaction_ext.suites.store import Suite, in_hand
from mmaction_ext.tables import CellStatus, TableSpec, resolve_configs
from mmaction_ext.tables.row_seeds import RowSeed, row_seeds
from mmaction_ext.tables.run_index import RunIndex
from mmaction_ext.tables.seed_runs import how_it_ended, how_it_stopped, is_finite, why_diverged
from mmaction_ext.tracking.identity import load_config
from mmaction_ext.tracking.reading.find import find_runs
from mmaction_ext.tracking.reading.record import RunRecord

NAME = 'status'
HELP = 'how runs are doing: progress, result, error'
EPILOG = """examples:
  mmaction-ext status                                   every run of every table that has any
  mmaction-ext status dcf_table1                        all rows and seeds of one table
  mmaction-ext status work_dirs/dcf/table1_components   every run below a folder
  mmaction-ext status dcf_table1 --watch 30             again every 30 s, until all have ended
  mmaction-ext status --suite dcf_table1                what `launch` handed over, row by seed

states:
  finished   the table has its numbers      running    a process works on it
  failed     ended with an error or a       killed     its process is dead and left no word
             signal                         diverged   losses, scores or a result not finite
  no result  ended well, but was not tested stale      only runs of another version of the config
  missing    no run                         waiting    launched, and not yet begun
  stopped    asked to save and end by a signal: launch goes on with it
  unfinished no exit record, and nobody can tell why
  conflict   results contradict each other  untrusted  a log is damaged

The time left is that of the remaining training iterations at their recent pace, without
validation. The last column is the age of the last sign of life. Without arguments, runs that
belong to no row of any table and no config are named on standard error.

exit codes: 0 nothing is wrong; 1 a run failed, diverged, was killed, is in conflict or damaged;
2 bad input
"""
HEADS = ('run', 'seed', 'state', 'iteration', 'done', 'left', 'last result', 'alive')
PROBLEMS = ('failed', 'killed', 'conflict', 'untrusted', 'diverged')
#: metrics that say how far a run is
PROGRESS_METRICS = frozenset({'train/time', 'train/loss', 'val/acc/top1', 'test/acc/top1'})
_COLOURS = dict(
    finished='green',
    running='blue',
    failed='red',
    killed='red',
    conflict='red',
    untrusted='red',
    diverged='red',
    stale='yellow',
    unfinished='yellow',
    no='yellow',
    stopped='yellow',
    missing='faint',
)


@dataclass(frozen=True)
class RunStatus:
    """One line: a row under a seed, or a run in a folder.

    Attributes:
        run: row id, or the run's config.
        seed: the seed; ``None`` if unknown.
        state: word of :data:`EPILOG`.
        reason: why it is not finished.
        progress: :class:`mmaction_ext.suites.progress.Progress`; ``None`` without a run.
        folder: run folder, empty if unknown.
    """

    run: str
    seed: int | None
    state: str
    reason: str = ''
    progress: Progress | None = None
    folder: str = ''


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command line."""
    add_tables_argument(parser, 'TABLE|RUNS')
    add_runs_option(parser)
    parser.add_argument(
        '--suite',
        metavar='NAME',
        help='the runs of a suite that was launched here, with those that wait, row by seed',
    )
    parser.add_argument(
        '--watch',
        type=float,
        metavar='SECONDS',
        help='show it again and again until nothing runs any more',
    )
    add_json_option(parser)


def run(args: Namespace) -> int:
    """Print the status, once or again and again; returns 1 if anything went wrong."""
    if args.watch is not None:
        check_positive('--watch', args.watch)
    if args.suite and (args.tables or args.runs):
        raise InputError('--suite goes without TABLE, RUNS and --runs')
    groups = collect(args, notes=True)
    while True:
        _show(groups, args)
        states = {line.state for lines in groups.values() for line in lines}
        if args.watch is None or not states & {'running', 'waiting'}:
            return int(bool(states & set(PROBLEMS)))
        sys.stdout.flush()
        time.sleep(args.watch)
        groups = collect(args)


def collect(args: Namespace, notes: bool = False) -> dict[str, list[RunStatus]]:
    """Title of a table or folder to its :class:`RunStatus` list.

    Args:
        args: the command line.
        notes: whether to say on standard error which runs no table shows, where all of both are
            looked at.
    """
    if args.suite:
        suite = find_suite(args.suite)
        return {suite.name: suite_lines(suite, args.source)}
    folders = [name for name in args.tables if _is_runs_folder(Path(name))]
    args_tables = [name for name in args.tables if name not in folders]
    groups = {name: folder_lines(name, args.source) for name in folders}
    if args_tables or not args.tables:
        specs = load_tables(_with_tables(args, args_tables))
        records = RunIndex(read_records(args, specs, needed_metrics(specs) | PROGRESS_METRICS))
        if notes and not args.tables:
            note_unlisted_runs(records, specs, args.configs)
        ran = {record.config for record in records}
        load = functools.cache(load_config)
        groups.update(
            (spec.id, table_lines(spec, records, load))
            for spec in specs
            if args.tables or ran & {row.config_name for row in spec.with_runs}
        )
    return groups


def _with_tables(args: Namespace, tables: list[str]) -> Namespace:
    import argparse

    return argparse.Namespace(**{**vars(args), 'tables': tables})


def _is_runs_folder(path: Path) -> bool:
    """Whether a folder holds runs and not tables."""
    return path.is_dir() and next(path.rglob('table.yaml'), None) is None


def folder_lines(folder: str | Path, source: str = 'auto') -> list[RunStatus]:
    """Status of every run below a folder, by its record in ``source``."""
    records = find_runs(folder, PROGRESS_METRICS, source=source, cache=False)
    return [_record_line(record, Path(folder)) for record in records]


def _record_line(record: RunRecord, folder: Path) -> RunStatus:
    """Status of a run of a folder by itself."""
    name = record.config or record.uid
    found = progress(record, schedule_of(record), ('test/acc/top1',))
    state = 'untrusted' if record.corrupt else _WORDS.get(record.state, record.state)
    reason = how_it_ended(record) if record.exit_code else '; '.join(record.damage)
    if state == 'finished' and record.evaluations and not is_finite(found.value):
        is_float = isinstance(found.value, float) and not math.isfinite(found.value)
        state = 'diverged' if is_float else 'failed'  # as tables have it
        reason = f'{found.metric} is {found.value}'
    if record.diverged and state in ('finished', 'failed', 'killed'):
        reason = reason if state == 'diverged' else why_diverged(record)
        state = 'diverged'
    if state == 'failed' and (stopped := how_it_stopped(record)):
        state, reason = 'stopped', stopped
    return RunStatus(
        name if record.job_type == 'train' else f'{name} (test)',
        record.seed,
        state,
        reason,
        found,
        (folder / record.folder).as_posix(),
    )


def suite_lines(suite: Suite, source: str = 'auto') -> list[RunStatus]:
    """Status of every run that a suite was ever launched for, those that wait among them.

    Args:
        suite: the suite.
        source: which record of each run is read.
    """
    records: dict[str, RunRecord] = {}
    if DEFAULT_RUNS.is_dir():
        found = find_runs(DEFAULT_RUNS, PROGRESS_METRICS, source=source)
        records = {record.folder: record for record in found}
    busy = in_hand(DEFAULT_RUNS, queued)
    lines = []
    for run, (handed, _) in suite.known().items():
        record = records.get(run)
        line = RunStatus(handed.row, handed.seed, 'missing')
        if record:
            line = replace(_record_line(record, DEFAULT_RUNS), run=handed.row)
            if line.state == 'stopped':
                line = replace(line, reason='')
        is_new = record is not None and record.config_hash == handed.config_hash
        is_there = line.state == 'running' or (is_new and line.state == 'finished')
        if run in busy and busy[run].suite.name == suite.name and not is_there:
            line = RunStatus(handed.row, handed.seed, 'waiting', folder=line.folder)
        lines.append(line)
    return lines


def table_lines(
    spec: TableSpec,
    records: Sequence[RunRecord],
    load: Callable[..., dict[str, Any]] = load_config,
) -> list[RunStatus]:
    """Status of every row and seed of a table.

    Args:
        spec: :class:`mmaction_ext.tables.TableSpec`.
        records: run records.
        load: reads a config file; one that remembers serves all tables.
    """
    metrics = tuple(column.metric for column in spec.columns if column.kind == 'history')
    return [
        _row_seed_line(row_seed, metrics)
        for row_seed in row_seeds(spec, records, resolve_configs(spec, load))
    ]


def _row_seed_line(row_seed: RowSeed, metrics: tuple[str, ...]) -> RunStatus:
    record = _main_record(row_seed.fresh or row_seed.others)
    state = _state(row_seed, record if row_seed.fresh else None)
    if record is None:
        return RunStatus(row_seed.row.id, row_seed.seed, state, row_seed.reason)
    schedule = row_seed.config.schedule if record.job_type == 'train' else None
    reason = how_it_ended(record) if state == 'failed' and record.exit_code else row_seed.reason
    return RunStatus(
        row_seed.row.id,
        row_seed.seed,
        state,
        reason,
        progress(record, schedule, metrics),
        record.folder,
    )


def _main_record(records: Iterable[RunRecord]) -> RunRecord | None:
    """The run to look at: one that lives, else one that trains, else any."""
    ranked = sorted(
        records, key=lambda record: (record.state != 'running', record.job_type != 'train')
    )
    return ranked[0] if ranked else None


_WORDS = {'unknown': 'unfinished'}


def _state(row_seed: RowSeed, record: RunRecord | None) -> str:
    """Word for a row and seed whose main run of the present config is ``record``, if any."""
    if record and record.state == 'running':
        return 'running'
    if row_seed.is_done:
        return 'finished'
    if row_seed.status.value in PROBLEMS[2:]:
        return row_seed.status.value
    if not record:
        return row_seed.status.value
    if record.state == 'finished':  # failed, if it has a result that is no number
        return 'failed' if row_seed.status is CellStatus.FAILED else 'no result'
    if record.state == 'failed' and how_it_stopped(record):
        return 'stopped'
    return _WORDS.get(record.state, record.state)


def _show(groups: dict[str, list[RunStatus]], args: Namespace) -> None:
    if args.json:
        print_json(
            {title: [dict(asdict(line)) for line in lines] for title, lines in groups.items()}
        )
        return
    if args.watch is not None and is_screen():
        print('\x1b[H\x1b[2J', end='')  # from the top of an empty screen
    if not groups:
        print('no table has a run yet; mmaction-ext plan says how to train them')
    if args.suite:
        for lines in groups.values():
            _show_matrix(lines)
        return
    print('\n\n'.join('\n'.join(describe(title, lines)) for title, lines in groups.items()))


def _show_matrix(lines: list[RunStatus]) -> None:
    """Rows and seeds, and below them what is wrong."""
    from rich.console import Console

    from mmaction_ext.cli.board import Cell, matrix

    cells = [
        Cell(line.run, line.seed or 0, line.state, line.progress or Progress()) for line in lines
    ]
    Console(highlight=False).print(matrix(cells))
    for line in lines:
        for remark in _remarks(line):
            print(cut(f'{clean(line.run)}/seed{line.seed}: {remark.strip()}', line_width()))


def describe(title: str, lines: list[RunStatus]) -> list[str]:
    """A group of runs as lines of text."""
    states = Counter(line.state for line in lines)
    counted = ', '.join(f'{count} {state}' for state, count in sorted(states.items()))
    head, *body = columns(
        (_cells(line) for line in lines), HEADS, right=HEADS[3:6], elastic=(6, 0), colours=_COLOURS
    )
    text = [f'{clean(title)}: {counted or "no run"}'] + ([head] if body else [])
    for line, shown in zip(lines, body, strict=True):
        text += [shown, *_remarks(line)]
    return text


def _cells(line: RunStatus) -> list[object]:
    seed = '' if line.seed is None else line.seed
    found = line.progress
    if found is None:
        return [line.run, seed, line.state, '', '', '', '', '']
    iteration = '' if found.iteration is None else f'{found.iteration}'
    if found.total:
        iteration = f'{iteration or 0}/{found.total}'
    return [
        line.run,
        seed,
        line.state,
        iteration,
        '' if found.fraction is None else f'{100 * found.fraction:.0f}%',
        duration(found.seconds_left),
        _result(found),
        duration(found.heartbeat_age),
    ]


def _result(found: Progress) -> str:
    if not found.metric:
        return ''
    is_number = isinstance(found.value, float) or is_finite(found.value)
    return f'{found.metric} {found.value:.4g}' if is_number else found.metric


def _remarks(line: RunStatus) -> list[str]:
    """What is wrong, below the line of the run."""
    if not line.reason or line.state in ('finished', 'running', 'missing'):
        return []
    return [cut(f'    {clean(line.reason)}', line_width())]
