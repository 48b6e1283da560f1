"""Train whatever a table still lacks: a plain loop over its rows and seeds on this machine.

Rows and seeds whose result is there are left alone, as are those on which another process works,
half-trained ones go on from their newest checkpoint, and one failure does not stop the others.
Rows that are tested with the weights of another config follow when it is trained, and ensembles
when their members are through, all of which are run first if need be; rows of published figures
alone and means of rows need no run. Start it again at any time.

Exit codes: 0 nothing is lacking, or only listed; 1 something is, if only since a process is at it;
2 bad input (one line says what); 130 interrupted.
"""

import argparse
import ctypes
import fcntl
import functools
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from mmaction_ext.errors import InputError
from mmaction_ext.tables import load_spec, resolve_configs
from mmaction_ext.tables.gaps import TOOLS, find_gaps, in_order
from mmaction_ext.tables.places import places, process_of
from mmaction_ext.tracking.identity import config_name, load_config
from mmaction_ext.tracking.records import find_runs

RUNS = Path('work_dirs')
REPORT_SECONDS = 20
PROGRESS = re.compile(r'Epoch\(train\) +\[ *(\d+)\]\[ *(\d+)/(\d+)\].* eta: (\S+) .* loss: (\S+)')


def parse_args():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('table', type=Path, help='table.yaml')
    parser.add_argument('--rows', nargs='+', metavar='ROW', help='row ids (default: all)')
    parser.add_argument('--seeds', nargs='+', type=int, metavar='SEED',
                        help='seeds (default: those of the table)')
    parser.add_argument('--jobs', type=int, default=1, help='how many runs to train at a time')
    parser.add_argument('--dry-run', action='store_true', help='only list what is lacking')
    return parser.parse_args()


def find_lacking(spec, args):
    """The :class:`mmaction_ext.tables.gaps.Gap` list of the rows that are asked for."""
    rows = tuple(row for row in spec.configured if args.rows is None or row.id in args.rows)
    unknown = set(args.rows or ()) - {row.id for row in rows}
    if unknown:
        raise InputError(f'{args.table} has no row {", ".join(sorted(unknown))} to train; '
                         f'it has {", ".join(row.id for row in spec.configured)}')
    records = find_runs(RUNS) if RUNS.is_dir() else []
    load = functools.cache(load_config)
    asked = replace(spec, layout=rows, seeds=tuple(dict.fromkeys(args.seeds or spec.seeds)))
    found = places(asked, records, resolve_configs(asked, load))
    return find_gaps(found, spec, records, load)


class Process:
    """One process that trains or tests, with its log file.

    Args:
        job: the :class:`mmaction_ext.tables.gaps.Job` that it does.
    """

    def __init__(self, job):
        self.name, run = job.name, f'{config_name(job.config)}/seed{job.seed}'
        self.log = RUNS / '.logs' / f'{run}.log'
        self.log.parent.mkdir(parents=True, exist_ok=True)
        epochs = [int(path.stem[len('epoch_'):]) for path in (RUNS / run).glob('epoch_*.pth')]
        self.start = f'goes on after epoch {max(epochs)}' if epochs else 'started'
        command = [sys.executable, str(Path(__file__).with_name(job.tool)), *job.arguments]
        with open(self.log, 'a') as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT,
                                            preexec_fn=_die_with_parent)

    def progress(self):
        """How far training is, from the newest line of the log that says so."""
        found = PROGRESS.findall(self.log.read_text(errors='replace'))
        if not found:
            return 'starting'
        return 'epoch {}, batch {} of {}, {} left, loss {}'.format(*found[-1])

    def last_line(self):
        """What the process said last: the error, when it failed."""
        lines = self.log.read_text(errors='replace').strip().splitlines()
        return lines[-1] if lines else 'no output'


def _die_with_parent():
    """Have Linux end a training process whose loop was killed."""
    if sys.platform == 'linux':
        ctypes.CDLL(None).prctl(1, signal.SIGTERM)


def train_all(waiting, jobs):
    """Keep ``jobs`` processes busy until every run has ended, well or not.

    Args:
        waiting: :class:`mmaction_ext.tables.gaps.Job` list.
        jobs: how many to run at a time.
    """
    start, reported, running, total = time.time(), time.time(), [], len(waiting)
    waiting = list(waiting)
    while waiting or running:
        while waiting and len(running) < jobs:
            running.append(Process(waiting.pop(0)))
            say(start, f'{running[-1].name}: {running[-1].start}, log in {running[-1].log}')
        time.sleep(0.5)
        for job in [job for job in running if job.process.poll() is not None]:
            running.remove(job)
            left = len(waiting) + len(running)
            outcome = f'FAILED: {job.last_line()}' if job.process.returncode else 'done'
            say(start, f'{job.name}: {outcome} ({total - left} of {total})')
        if time.time() - reported > REPORT_SECONDS:
            reported = time.time()
            for job in running:
                say(start, f'{job.name}: {job.progress()}')


def say(start, text):
    """Print a line with the minutes and seconds since ``start``."""
    minutes, seconds = divmod(int(time.time() - start), 60)
    print(f'[{minutes:3d}:{seconds:02d}] {text}', flush=True)


def wait_for_lock():
    """Hold the lock of this runs folder; wait while another loop trains in it."""
    RUNS.mkdir(exist_ok=True)
    lock = open(RUNS / '.lock', 'a+')
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        print(f'process {lock.read().strip()} already trains in {RUNS.resolve()}; waiting for it '
              f'to end (its logs are in {RUNS / ".logs"})', flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)
    lock.truncate(0)
    lock.write(f'{os.getpid()}\n')
    lock.flush()
    return lock


def main():
    """Run the tool."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        run(parse_args())
    except KeyboardInterrupt:
        print('interrupted; the same command goes on from here', file=sys.stderr)
        raise SystemExit(130) from None


def run(args):
    """Train what is lacking; exit code 1 if something still is."""
    try:
        spec = load_spec(args.table)
        lock = None if args.dry_run else wait_for_lock()
        gaps = find_lacking(spec, args)
    except (ValueError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        raise SystemExit(2) from None
    for gap in gaps:
        if not gap.jobs:
            print(f'{gap.place.name} is left alone ({gap.place.status.value}): {gap.reason}')
    waiting = in_order(gaps)
    print(f'{spec.id}: {len(waiting) or "nothing is left, 0"} runs to train'
          + ''.join(f'\n  {job.name}' for job in waiting))
    if args.dry_run:
        return
    for kind in TOOLS:
        train_all([job for job in waiting if job.kind == kind], args.jobs)
    left = find_lacking(spec, args)
    for gap in left:
        print(leftover(gap), file=sys.stderr)
    lock.close()
    raise SystemExit(bool(left))


def leftover(gap):
    """What is said at the end of a row and seed that has no result."""
    if gap.place.living:
        return f'still running: {gap.place.name} ({process_of(gap.place.living)})'
    return (f'still without a result: {gap.place.name} (the footnotes of the table that '
            'make_tables.py writes say why)')


if __name__ == '__main__':
    main()
