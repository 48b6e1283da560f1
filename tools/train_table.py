"""Train whatever a table still lacks: a plain loop over its rows and seeds on this machine.

Rows and seeds whose result is there are left alone, half-trained ones go on from their newest
checkpoint, and one failure does not stop the others. Rows that are tested with the weights of
another config follow when it is trained, which is done first if need be, and ensembles when their
members in the table are through; rows of published figures alone and means of rows need no run.
Start it again at any time.
"""

import argparse
import ctypes
import fcntl
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from mmaction_ext.tables import CellStatus, load_spec, seed_states
from mmaction_ext.tracking.identity import config_name, load_config, weights_source
from mmaction_ext.tracking.records import find_runs

RUNS = Path('work_dirs')
REPORT_SECONDS = 20
#: what makes results, in the order in which one needs those before it
TOOLS = ('train.py', 'test.py', 'test_ensemble.py')
#: what another training run would not mend
BEYOND_TRAINING = (CellStatus.CONFLICT, CellStatus.UNTRUSTED)
PROGRESS = re.compile(r'Epoch\(train\) +\[ *(\d+)\]\[ *(\d+)/(\d+)\].* eta: (\S+) .* loss: (\S+)')


def parse_args():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('table', type=Path, help='table.yaml')
    parser.add_argument('--rows', nargs='+', metavar='ROW', help='row ids (default: all)')
    parser.add_argument('--seeds', nargs='+', type=int, metavar='SEED',
                        help='seeds (default: those of the table)')
    parser.add_argument('--jobs', type=int, default=1, help='how many runs to train at a time')
    parser.add_argument('--dry-run', action='store_true', help='only list what is lacking')
    return parser.parse_args()


def lacking(spec, args):
    """(row, seed, tool) without a sound result, and what their weights come from."""
    rows = [row for row in spec.configured if args.rows is None or row.id in args.rows]
    unknown = set(args.rows or ()) - {row.id for row in rows}
    if unknown:
        raise ValueError(f'{args.table} has no row {", ".join(sorted(unknown))} to train; '
                         f'it has {", ".join(row.id for row in spec.configured)}')
    records = find_runs(RUNS) if RUNS.is_dir() else []
    spec = replace(spec, seeds=tuple(dict.fromkeys(args.seeds or spec.seeds)))
    wanted = without_result(spec, rows, records)
    needed = [(source_of(row, spec), seed) for row, seed in wanted]
    sources = tuple({row.id: row for row, _ in needed if row}.values())
    wanted += [job for job in without_result(spec, sources, records)
               if job in needed and job not in wanted]
    return sorted(((row, seed, tool_for(row)) for row, seed in wanted),
                  key=lambda job: (spec.seeds.index(job[1]), TOOLS.index(job[2])))


def without_result(spec, rows, records):
    """(row, seed) of rows that another run may give the result they lack."""
    states = seed_states(replace(spec, layout=tuple(rows)), records)
    wanted = []
    for row in rows:
        for seed, state in states[row.id].items():
            if state in BEYOND_TRAINING:
                print(f'{row.id}/seed{seed} is left alone ({state.value}): see the footnote of '
                      'its table, and delete the run that is wrong')
            elif state != CellStatus.OK:
                wanted.append((row, seed))
    return wanted


def source_of(row, spec):
    """The row whose weights a row is tested with, made up where the table has none; or None."""
    source = weights_source(row.config, load_config(row.config))
    if source is None:
        return None
    name = config_name(source)
    made_up = replace(row, id=name, config=source, reference=False)
    return next((each for each in spec.configured if each.config_name == name), made_up)


def tool_for(row):
    """The tool that makes the result of a row."""
    config = load_config(row.config)
    if 'ensemble' in config:
        return 'test_ensemble.py'
    return 'test.py' if config.get('weights_of') else 'train.py'


class Job:
    """One process that trains or tests, with its log file."""

    def __init__(self, row, seed, tool):
        self.name = f'{row.id}/seed{seed}'
        folder = RUNS / '.logs' / row.config_name
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / f'seed{seed}.log'
        checkpoints = RUNS / row.config_name / f'seed{seed}'
        epochs = [int(path.stem[len('epoch_'):]) for path in checkpoints.glob('epoch_*.pth')]
        self.start = f'goes on after epoch {max(epochs)}' if epochs else 'started'
        command = [sys.executable, str(Path(__file__).with_name(tool)), str(row.config),
                   '--seed', str(seed)] + ['--resume'] * (tool == 'train.py')
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
    """Keep ``jobs`` processes busy until every run has ended, well or not."""
    start, reported, running, total = time.time(), time.time(), [], len(waiting)
    waiting = list(waiting)
    while waiting or running:
        while waiting and len(running) < jobs:
            running.append(Job(*waiting.pop(0)))
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
        waiting = lacking(spec, args)
    except (ValueError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        raise SystemExit(2) from None
    print(f'{spec.id}: {len(waiting) or "nothing is left, 0"} runs to train'
          + ''.join(f'\n  {row.id}/seed{seed}' for row, seed, _ in waiting))
    if args.dry_run:
        return
    for tool in TOOLS:
        train_all([job for job in waiting if job[2] == tool], args.jobs)
    left = lacking(spec, args)
    for row, seed, _ in left:
        print(f'still without a result: {row.id}/seed{seed} (the footnotes of the table that '
              'make_tables.py writes say why)', file=sys.stderr)
    lock.close()
    raise SystemExit(bool(left))


if __name__ == '__main__':
    main()
