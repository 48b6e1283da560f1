"""Train whatever a table still lacks: a plain loop over its rows and seeds on this machine.

Rows and seeds whose result is there are left alone, as are those on which another process works,
half-trained ones go on from their newest checkpoint, and one failure does not stop the others.
Rows that are tested with the weights of another config follow when it is trained, and ensembles
when their members are through, all of which are run first if need be; rows of published figures
alone and means of rows need no run. Start it again at any time.
"""

import contextlib
import ctypes
import functools
import re
import signal
import subprocess
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from mmaction_ext.cli.common import DEFAULT_RUNS
from mmaction_ext.cli.text import clean
from mmaction_ext.errors import InputError, did_you_mean
from mmaction_ext.files.locks import LockFile
from mmaction_ext.tables import TableSpec, load_spec, resolve_configs
from mmaction_ext.tables.gaps import COMMANDS, Gap, Job, find_gaps, ordered_jobs
from mmaction_ext.tables.row_seeds import process_of, row_seeds
from mmaction_ext.tracking.identity import load_config
from mmaction_ext.tracking.reading.find import find_runs

NAME = 'train-table'
HELP = 'train whatever a table still lacks'
EPILOG = """examples:
  mmaction-ext train-table configs/dcf/table1_components/table.yaml --jobs 2
  mmaction-ext train-table TABLE.yaml --rows full --seeds 0 1
  mmaction-ext train-table TABLE.yaml --dry-run         only list what is lacking

exit codes: 0 nothing is lacking, or only listed; 1 something is, if only since a process is at it;
2 bad input (one line says what); 130 interrupted
"""
INTERRUPTED = 'interrupted; the same command goes on from here'
#: starts the commands
PROGRAM = (sys.executable, '-m', 'mmaction_ext')
REPORT_SECONDS = 20
PROGRESS = re.compile(r'Epoch\(train\) +\[ *(\d+)\]\[ *(\d+)/(\d+)\].* eta: (\S+) .* loss: (\S+)')
#: what the tools say, with exit code 2, of a folder that another process holds
IN_USE = re.compile(r'^error: .* is in use by (process \d+|process)')


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument('table', type=Path, help='table.yaml')
    parser.add_argument('--rows', nargs='+', metavar='ROW', help='row ids (default: all)')
    parser.add_argument(
        '--seeds', nargs='+', type=int, metavar='SEED', help='seeds (default: those of the table)'
    )
    parser.add_argument('--jobs', type=int, default=1, help='how many runs to train at a time')
    parser.add_argument('--dry-run', action='store_true', help='only list what is lacking')


def find_lacking(spec: TableSpec, args: Namespace) -> list[Gap]:
    """The :class:`mmaction_ext.tables.gaps.Gap` list of the rows that are asked for."""
    there = [row.id for row in spec.rows if row.config]
    parts = {part.id: row.id for row in spec.rows for part in spec.folds_of(row)}
    unknown = sorted(set(args.rows or ()) - {*there, *parts})
    if unknown:
        raise InputError(
            f'{args.table} has no row {", ".join(unknown)} to train; it has {", ".join(there)}'
            f'{did_you_mean(unknown[0], there)}'
        )
    if not there:
        raise InputError(f'{args.table} has no row that is trained here')
    records = find_runs(DEFAULT_RUNS) if DEFAULT_RUNS.is_dir() else []
    load = functools.cache(load_config)
    asked = replace(spec, seeds=tuple(dict.fromkeys(args.seeds or spec.seeds)))
    found = [
        each
        for each in row_seeds(asked, records, resolve_configs(asked, load))
        if each.row.config
        and (args.rows is None or {each.row.id, parts.get(each.row.id)} & {*args.rows})
    ]
    return find_gaps(found, spec, records, load)


class Process:
    """One process that trains or tests, with its log file.

    Args:
        job: the :class:`mmaction_ext.tables.gaps.Job` that it does.

    Raises:
        OSError: the log cannot be written, or no process can be started.
    """

    def __init__(self, job: Job) -> None:
        self.name, run = job.name, job.run
        self.log = DEFAULT_RUNS / '.logs' / f'{run}.log'
        self.log.parent.mkdir(parents=True, exist_ok=True)
        epoch = last_epoch(DEFAULT_RUNS / run)
        self.start = 'started' if epoch is None else f'goes on after epoch {epoch}'
        command = [*PROGRAM, job.command, *job.arguments]
        self.trained, self.said = None, ''
        with open(self.log, 'ab') as log:
            self.taken_in = log.tell()  # what stands before was said by earlier processes
            self.process = subprocess.Popen(
                command, stdout=log, stderr=subprocess.STDOUT, preexec_fn=_die_with_parent
            )

    def progress(self) -> str:
        """How far training is, from the newest line of the log that says so."""
        self._read_on()
        if not self.trained:
            return 'starting'
        return 'epoch {}, batch {} of {}, {} left, loss {}'.format(*self.trained)

    def outcome(self) -> str:
        """How the process ended, and if it failed what it said last: the error."""
        self._read_on()
        holder = IN_USE.search(self.said)
        if self.process.returncode == 2 and holder:
            return f'left alone, another process works on it ({holder[1]})'
        return f'FAILED: {self.said or "no output"}' if self.process.returncode else 'done'

    def _read_on(self) -> None:
        """Take in what was logged since the last time; a log that is gone says nothing."""
        with contextlib.suppress(OSError), open(self.log, 'rb') as log:
            log.seek(self.taken_in)
            new = log.read()
            self.taken_in += new.rfind(b'\n') + 1  # a line that is not whole is read again
            text = new.decode(errors='replace')
            self.trained = (PROGRESS.findall(text) or [self.trained])[-1]
            self.said = (text.strip().splitlines() or [self.said])[-1]


def last_epoch(folder: Path) -> int | None:
    """The last epoch of which a folder holds a checkpoint; ``None`` without any."""
    stems = (re.fullmatch(r'epoch_(\d+)', path.stem) for path in folder.glob('epoch_*.pth'))
    return max((int(stem[1]) for stem in stems if stem), default=None)


def _die_with_parent() -> None:
    """Have Linux end a training process whose loop was killed."""
    if sys.platform == 'linux':
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def train_all(waiting: Iterable[Job], jobs: int) -> None:
    """Keep ``jobs`` processes busy until every run has ended, well or not.

    Args:
        waiting: :class:`mmaction_ext.tables.gaps.Job` list.
        jobs: how many to run at a time.
    """
    start = reported = time.time()
    running: list[Process] = []
    waiting = list(waiting)
    total = len(waiting)
    while waiting or running:
        while waiting and len(running) < jobs:
            running += started(waiting.pop(0), start)
        time.sleep(0.5)
        for job in [job for job in running if job.process.poll() is not None]:
            running.remove(job)
            left = len(waiting) + len(running)
            say(start, f'{job.name}: {job.outcome()} ({total - left} of {total})')
        if time.time() - reported > REPORT_SECONDS:
            reported = time.time()
            for job in running:
                say(start, f'{job.name}: {job.progress()}')


def started(job: Job, start: float) -> list[Process]:
    """The :class:`Process` of a job; none, which is said, where it cannot be started.

    Args:
        job: :class:`mmaction_ext.tables.gaps.Job`.
        start: see :func:`say`.
    """
    try:
        process = Process(job)
    except OSError as error:
        say(start, f'{job.name}: FAILED: {error}')
        return []
    say(start, f'{job.name}: {process.start}, log in {process.log}')
    return [process]


def say(start: float, text: str) -> None:
    """Print a line with the minutes and seconds since ``start``; nobody need be there to read."""
    minutes, seconds = divmod(int(time.time() - start), 60)
    with contextlib.suppress(OSError):  # would end the processes, too
        print(f'[{minutes:3d}:{seconds:02d}] {clean(text)}', flush=True)


def wait_for_lock() -> LockFile:
    """Hold the lock of this runs folder; wait while another loop trains in it."""
    DEFAULT_RUNS.mkdir(exist_ok=True)
    lock = LockFile(DEFAULT_RUNS / '.lock')
    if not lock.take():
        print(
            clean(
                f'process {lock.holder} already trains in {DEFAULT_RUNS.resolve()}; waiting for '
                f'it to end (its logs are in {DEFAULT_RUNS / ".logs"})'
            ),
            flush=True,
        )
        lock.take(wait=True)
    return lock


def run(args: Namespace) -> int:
    """Train what is lacking; returns 1 if something still is.

    Raises:
        InputError: the table or a config cannot be used, or can no more when all are trained.
        OSError: the folder of the runs cannot be used.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    spec = load_spec(args.table)
    with contextlib.nullcontext() if args.dry_run else wait_for_lock():
        return train(spec, args)


def train(spec: TableSpec, args: Namespace) -> int:
    """Say what a table lacks, train it, and say what it lacks still; see :func:`run`."""
    gaps = find_lacking(spec, args)
    for gap in gaps:
        if not gap.jobs:
            print(
                clean(
                    f'{gap.row_seed.name} is left alone ({gap.row_seed.status.value}): '
                    f'{gap.reason}'
                )
            )
    waiting = ordered_jobs(gaps)
    print(
        f'{clean(spec.id)}: {len(waiting) or "nothing is left, 0"} runs to train'
        + ''.join(f'\n  {clean(job.name)}' for job in waiting)
    )
    if args.dry_run:
        return 0
    for kind in COMMANDS:
        train_all([job for job in waiting if job.kind == kind], args.jobs)
    left = find_lacking(spec, args)
    for gap in left:
        print(clean(leftover(gap)), file=sys.stderr)
    return int(bool(left))


def leftover(gap: Gap) -> str:
    """What is said at the end of a row and seed that has no result."""
    if gap.row_seed.living:
        return f'still running: {gap.row_seed.name} ({process_of(gap.row_seed.living)})'
    return (
        f'still without a result: {gap.row_seed.name} (the footnotes of the table that '
        '`mmaction-ext tables` writes say why)'
    )
