"""Make all runs that tables still lack: rows and seeds that are missing, failed or stale.

What is there is left alone, as is what another process or suite works on; a run that several
tables share is made once; half-trained ones go on from their newest checkpoint, and one failure
stops no other. Rows that are tested with the weights of another config follow when it is trained,
and ensembles when their members are through; what those need is run first. Start it again at any
time: it goes on from where all stands.
"""

from __future__ import annotations

import contextlib
import os
import sys
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from mmaction_ext.cli.common import (
    DEFAULT_RUNS,
    add_complexity_option,
    add_lock_options,
    add_runs_option,
    add_tables_argument,
    load_tables,
    needed_metrics,
    queued,
    read_counts,
    read_records,
)
from mmaction_ext.cli.text import clean, columns, duration, quantity
from mmaction_ext.errors import InputError, check_at_least, check_positive, check_seed
from mmaction_ext.suites.claims import Taken
from mmaction_ext.suites.executors.machine import Slots
from mmaction_ext.suites.pace import STEP_TIME
from mmaction_ext.suites.plan import CHECKPOINT_INTERVAL, SuitePlan, Task, plan_suite
from mmaction_ext.suites.store import (
    Handed,
    InHand,
    Suite,
    handing_time,
    in_hand,
    planning,
    suite_name,
)
from mmaction_ext.tables import TableSpec, read_lock
from mmaction_ext.tables.gaps import Gap
from mmaction_ext.tables.row_seeds import process_of
from mmaction_ext.tracking.ledger import process

if TYPE_CHECKING:
    from mmaction_ext.suites.executors.slurm import Resources

NAME = 'launch'
HELP = 'make all runs that tables lack, on this machine or a cluster'
EPILOG = """examples:
  mmaction-ext launch dcf_table1 --dry-run              what is lacking, and what it costs
  mmaction-ext launch dcf_table1 --rows full --seeds 0 1
  mmaction-ext launch configs/dcf --hours 6             what completes the most cells in 6 h
  mmaction-ext launch configs/dcf --locked              what is neither here nor in the lock file
  mmaction-ext launch configs/dcf --gpus-per-run 2      two GPUs for each training
  mmaction-ext launch configs/dcf --executor slurm --partition gpu --time 8:00:00

On this machine runs are packed onto its GPUs (those of CUDA_VISIBLE_DEVICES) or, without any,
onto its CPU cores, each process with OMP_NUM_THREADS threads. Ctrl-C has all runs write a
checkpoint and end; once more kills them. Logs are in work_dirs/.logs.

On a Slurm cluster the runs become arrays of jobs, which Slurm starts, and starts again; `launch`
comes back when it has them. Without GPUs in the partition they are trained on CPU cores.

A run that is ended by a signal from elsewhere, is stopped for being preempted, or for which the
machine has no memory left is started again; after an error it is not.

Hours are those that runs of the same config took on this machine, or else the time of a few steps
(`preflight`) times their number, or else go by multiply-adds. Where none of them is known, --hours
has a few configs timed first.

exit codes: 0 nothing is lacking, only listed, or Slurm has it; 1 something is, if only since a
process is at it; 2 bad input (one line says what); 130, 143 stopped by Ctrl-C or SIGTERM
"""
INTERRUPTED = 'interrupted; the same command goes on from here'
#: more lines of a kind are counted, but with --dry-run
MOST_LINES = 40
#: configs whose steps are timed before a budget is spent on what nobody knows the length of
MOST_TIMED = 4
HEADS = ('run', 'seeds', 'MACs each', 'time each', 'time')


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command line."""
    add_tables_argument(parser)
    parser.add_argument('--rows', nargs='+', metavar='ROW', help='row ids (default: all)')
    parser.add_argument(
        '--seeds', nargs='+', type=int, metavar='SEED', help='seeds (default: those of each table)'
    )
    parser.add_argument(
        '--hours',
        type=float,
        metavar='H',
        help='only the runs that complete the most cells in so many hours',
    )
    parser.add_argument('--dry-run', action='store_true', help='only list what is lacking')
    parser.add_argument(
        '--name', help='name of the suite, for `status --suite` and `cancel` (default: its tables)'
    )
    add_runs_option(parser)
    add_lock_options(parser, 'what the lock file of the tables holds counts as done, too')
    add_complexity_option(parser)
    parser.add_argument(
        '--no-preflight',
        action='store_true',
        help='do not look first whether each config can be trained here (`preflight`)',
    )
    group = parser.add_argument_group('execution')
    group.add_argument(
        '--executor',
        choices=['local', 'slurm'],
        default='local',
        help='this machine, looked after in the foreground (default), or a Slurm cluster',
    )
    group.add_argument(
        '--gpus-per-run',
        type=int,
        default=1,
        metavar='N',
        help='GPUs of each training, or processes on the CPU (default: 1)',
    )
    group.add_argument(
        '--max-parallel',
        type=int,
        metavar='N',
        help='how many runs at a time (default: as GPUs, or CPU cores, suffice for)',
    )
    group.add_argument(
        '--checkpoint-interval',
        metavar='N|TIME',
        help='how often each training saves a checkpoint between epochs, in iterations or as 30s, '
        f'10min, 2h (default: what its config says, else {CHECKPOINT_INTERVAL})',
    )
    group.add_argument(
        '--retries',
        type=int,
        default=2,
        metavar='N',
        help='how often a run is started again that was ended from outside and made no '
        'checkpoint since its last start (default: 2)',
    )
    group = parser.add_argument_group(
        'Slurm', 'of each job; --gpus-per-run may need several nodes'
    )
    for option, metavar, text in (
        ('--partition', 'NAME', "partition (default: the cluster's)"),
        ('--time', 'TIME', 'limit, as 8:00:00 or 1-12; a job goes on in another one after it'),
        ('--mem', 'SIZE', "memory of each node, as 64G (default: the cluster's choice)"),
    ):
        group.add_argument(option, metavar=metavar, default='', help=text)
    group.add_argument(
        '--cpus-per-node', type=int, default=0, metavar='N', help='cores (default: its share)'
    )
    group.add_argument(
        '--sbatch',
        nargs='+',
        default=[],
        metavar='KEY=VALUE',
        help='more options of sbatch: account=vision qos=high',
    )


def run(args: Namespace) -> int:
    """Make what is lacking; returns 1 if something still is.

    Raises:
        InputError: a table or a config cannot be used, or can no more when all are trained; the
            suite is being launched already; there are fewer GPUs than asked for.
        OSError: the folder of the runs cannot be used.
    """
    if not args.tables:
        raise InputError('name a table, or a folder of tables: configs for all of them')
    if args.hours is not None:
        check_positive('--hours', args.hours)
    check_at_least('--retries', args.retries, 0)
    if args.checkpoint_interval is not None:
        from mmaction_ext.engine.interruption import read_interval

        read_interval(args.checkpoint_interval)
    for seed in args.seeds or ():
        check_seed(seed)
    place = (
        Slots.of_machine(args.gpus_per_run, args.max_parallel) if is_local(args) else cluster(args)
    )
    if isinstance(place, Slots):  # a step that is timed has the threads that runs have
        os.environ.update(place.environment(()))
    specs = load_tables(args)
    suite = Suite(DEFAULT_RUNS, args.name or suite_name(specs))
    busy, plan = in_hand(DEFAULT_RUNS, queued), find_lacking(specs, args)
    if args.dry_run or not plan.tasks:
        say_plan(suite, specs, plan, busy, args, place)
        return 0 if args.dry_run else say_leftovers(specs, plan)
    suite.make()
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(suite.launch.held(f'launch of {suite.name}'))
        except Taken as error:
            raise InputError(
                f'suite {suite.name} is being launched already, by {error.holder}; see '
                f'mmaction-ext status --suite {suite.name}'
            ) from error
        with alone(suite):
            # what a launcher had that was killed
            lost = [run for run, each in suite.handed().items() if each.executor == 'local']
            suite.take_back(lost, 'its launcher is gone')
            # again, as nobody else hands anything over any more; who has what is asked before the
            # runs are read: one that comes to its end between the two is then left alone, too
            busy, plan = in_hand(DEFAULT_RUNS, queued), find_lacking(specs, args)
            looks, bad = not args.no_preflight, set[str]()
            if looks and args.hours is not None:
                bad |= say_untrainable(suite, of_unknown_length(timed(suite, plan, args)), args)
            tasks = say_plan(suite, specs, plan.without(bad), busy, args, place)
            if looks:
                bad |= say_untrainable(suite, tasks, args)
                rest = timed(suite, SuitePlan(tasks).without(bad), args)
                if rest.tasks != tasks:
                    print(f'{len(rest.tasks)} runs, {total(rest.tasks, place)}', flush=True)
                tasks = rest.tasks
            if not isinstance(place, Slots):
                run_there(suite, tasks, args, place)
                return int(bool(bad))
            now = handing_time(DEFAULT_RUNS, {task.run for task in tasks})
            suite.hand(
                Handed(task.run, 'local', '', task.config_hash, now, task.job.name)
                for task in tasks
            )
        code = run_here(suite, tasks, args, place)
    return code or say_leftovers(specs, find_lacking(specs, args))


def is_local(args: Namespace) -> bool:
    """Whether runs are made on this machine; options of Slurm are none of it then.

    Raises:
        InputError: there are some.
    """
    if args.executor == 'slurm':
        return False
    for name in ('partition', 'time', 'mem', 'cpus_per_node', 'sbatch'):
        if getattr(args, name):
            raise InputError(f'--{name.replace("_", "-")} goes with --executor slurm')
    return True


def cluster(args: Namespace) -> Resources:
    """What each run gets of a Slurm cluster.

    Raises:
        InputError: the cluster has not that, or cannot be asked.
    """
    from mmaction_ext.suites.executors.slurm import Resources

    if args.max_parallel is not None:
        check_at_least('--max-parallel', args.max_parallel, 1)
    elif args.hours is not None:
        raise InputError('--hours on a cluster needs --max-parallel: so many runs at a time')
    more = dict(word.partition('=')[::2] for word in args.sbatch)
    for name, value in more.items():
        if not (name and value):
            raise InputError(f'--sbatch takes KEY=VALUE, got {name or value!r}')
    resources = Resources(
        args.gpus_per_run,
        args.partition,
        args.time,
        args.cpus_per_node,
        args.mem,
        args.max_parallel,
        options=more,
    )
    resources.share()
    return resources


@contextlib.contextmanager
def alone(suite: Suite) -> Iterator[None]:
    """Let no other suite be planned for a block; wait while one is."""
    claim, waits = planning(DEFAULT_RUNS), False
    with contextlib.ExitStack() as held:
        while True:
            try:
                held.enter_context(claim.held(f'planning of {suite.name}'))
                break
            except Taken as error:
                if not waits:
                    print(clean(f'{error}; waiting for it to end'), flush=True)
                waits = True
                time.sleep(0.5)
        yield


def find_lacking(specs: Sequence[TableSpec], args: Namespace) -> SuitePlan:
    """What the rows and seeds that are asked for lack."""
    metrics = needed_metrics(specs) | {STEP_TIME}
    has_runs = args.runs is not None or DEFAULT_RUNS.is_dir()
    records = read_records(args, specs, metrics) if has_runs else []
    return plan_suite(
        specs,
        records,
        read_counts(args),
        args.rows,
        args.seeds,
        checkpoint_interval=args.checkpoint_interval,
        locked=read_lock(args.lock) if args.locked else None,
    )


def say_plan(
    suite: Suite,
    specs: Sequence[TableSpec],
    plan: SuitePlan,
    busy: Mapping[str, InHand],
    args: Namespace,
    place: Slots | Resources,
) -> tuple[Task, ...]:
    """Say what is lacking, what of it is left alone, and what the rest costs; returns that.

    Raises:
        InputError: an executor has a run whose config has changed since.
    """
    check_unchanged(plan, busy)
    plan = timed(suite, plan, args)
    lines = [
        f'{_named(specs, table, gap)} is left alone ({gap.row_seed.status.value}): {gap.reason}'
        for table, gap in plan.left
    ]
    free = plan.without(busy)
    kept = {task.run for task in free.tasks}
    for task in plan.tasks:
        if task.run in busy:
            lines.append(f'{task.job.name} is left alone: {busy[task.run]}')
        elif task.run not in kept:
            lines.append(f'{task.job.name} is left alone: it needs a run that is')
    chosen = free
    if args.hours is not None:
        chosen = free.within(args.hours * 3600 * (place.parallel or 1))
    _print(map(clean, lines), args.dry_run)
    count = len(chosen.tasks)
    of = f' of {len(free.tasks)}, those for {args.hours:g} h' if args.hours is not None else ''
    print(f'{clean(suite.name)}: {count or "nothing is left, 0"} runs to train{of}')
    if count:
        _print(cost_lines(chosen.tasks), args.dry_run)
        print(total(chosen.tasks, place), flush=True)
    return chosen.tasks


def _how(args: Namespace) -> str:
    """How configs are looked at: for a cluster no step is made, as its nodes are others."""
    return f'on {process.host()}' + ', without a step' * (args.executor != 'local')


def timed(suite: Suite, plan: SuitePlan, args: Namespace) -> SuitePlan:
    """A plan with the times that steps took when configs were looked at."""
    found = suite.sound(_how(args))
    return plan.timed({digest: seconds for digest, seconds in found.items() if seconds})


def of_unknown_length(plan: SuitePlan) -> list[Task]:
    """A few tasks of unknown length, from the least multiply-adds to the most.

    What their steps take tells how long others do.
    """
    unknown = {
        task.config_hash: task
        for task in plan.tasks
        if task.job.kind == 'train' and task.seconds is None
    }
    by_cost = sorted(unknown.values(), key=lambda task: task.compute.training or 0)
    last = min(MOST_TIMED, len(by_cost)) - 1
    return [by_cost[number * (len(by_cost) - 1) // max(1, last)] for number in range(last + 1)]


def say_untrainable(suite: Suite, tasks: Iterable[Task], args: Namespace) -> set[str]:
    """Look whether configs can be trained here; say which cannot, and return their runs.

    What was found sound by this suite is not looked at again.
    """
    from mmaction_ext.engine.preflight import Target, preflight

    sound = suite.sound(_how(args))
    by_config: dict[Target, list[Task]] = {}
    for task in tasks:
        if task.config_hash not in sound:
            by_config.setdefault(Target(task.job.config, task.job.fold), []).append(task)
    if by_config:
        plural = 's' * (len(by_config) > 1)
        print(f'looking whether {len(by_config)} config{plural} can be trained here', flush=True)
    bad: set[str] = set()
    for group, outcome in zip(
        by_config.values(),
        preflight(by_config, processes=args.gpus_per_run, makes_step=args.executor == 'local'),
        strict=True,
    ):
        if outcome.problem:
            bad.update(task.run for task in group)
            names = ', '.join(task.job.name for task in group)
            print(clean(f'{names}: left out: {outcome.problem}'), flush=True)
        else:
            suite.found_sound(group[0].config_hash, _how(args), outcome.training)
    return bad


def check_unchanged(plan: SuitePlan, busy: Mapping[str, InHand]) -> None:
    """Refuse to go on while an executor has runs of configs that have changed since.

    Raises:
        InputError: that is so; it names the row, both versions and the job.
    """
    now = {task.run: (task.job.name, task.config_hash) for task in plan.tasks}
    for _, gap in plan.left:
        row, seed = gap.row_seed.row, gap.row_seed.seed
        now[f'{row.config_name}/seed{seed}'] = gap.row_seed.name, gap.row_seed.config.digest
    for run, each in busy.items():
        name, digest = now.get(run, ('', each.handed.config_hash))
        if digest != each.handed.config_hash:
            raise InputError(
                f'{name}: its config has changed since it was handed over (hash '
                f'{each.handed.config_hash}, now {digest}), and {each} still has it: undo the '
                f'change, or mmaction-ext cancel {each.suite.name} first'
            )


def cost_lines(tasks: Sequence[Task]) -> list[str]:
    """A line per row: its seeds, and what they take."""
    rows: dict[tuple[str, str], list[Task]] = {}
    for task in tasks:
        row = task.job.name.rpartition('/')[0]
        rows.setdefault((row, task.run.rpartition('/')[0]), []).append(task)
    head, *lines = columns(
        (
            [
                row,
                ','.join(str(task.job.seed) for task in group),
                quantity(group[0].compute.training) if group[0].job.kind == 'train' else '',
                duration(group[0].seconds),
                duration(_seconds(group)[0]) if _seconds(group)[0] else '',
            ]
            for (row, _), group in rows.items()
        ),
        HEADS,
        right=HEADS[2:],
        elastic=(0,),
    )
    return [f'  {head}', *(f'  {line}' for line in lines)]


def _seconds(tasks: Sequence[Task]) -> tuple[float, int]:
    """Seconds that tasks take one after the other, and of how many nobody knows."""
    known = [task.seconds for task in tasks if task.seconds is not None]
    unknown = sum(task.job.kind == 'train' and task.seconds is None for task in tasks)
    return sum(known), unknown


def total(tasks: Sequence[Task], place: Slots | Resources) -> str:
    """What all tasks take together."""
    macs = [task.compute.training for task in tasks if task.job.kind == 'train']
    parts = []
    if any(macs):
        parts.append(f'{quantity(sum(filter(None, macs)))} MACs')
    if macs.count(None):
        parts.append(f'{macs.count(None)} runs of unknown MACs')
    seconds, unknown = _seconds(tasks)
    if unknown:
        parts.append(f'{unknown} runs of unknown length')
    if seconds:
        longest = max(task.seconds or 0 for task in tasks)
        together = max(longest, seconds / min(place.parallel or len(tasks), len(tasks)))
        parts.insert(0, f'about {duration(together)}, one after the other {duration(seconds)}')
    where = place if isinstance(place, Slots) else 'on Slurm, by the pace of this machine'
    return f'{where}: {", ".join(parts) or "nothing is trained"}'


def _print(lines: Iterable[str], all_of_them: bool) -> None:
    lines = list(lines)
    shown = lines if all_of_them else lines[:MOST_LINES]
    for line in shown:
        print(line)
    if len(shown) < len(lines):
        print(f'  and {len(lines) - len(shown)} more (--dry-run lists all)')


def run_here(suite: Suite, tasks: Sequence[Task], args: Namespace, slots: Slots) -> int:
    """Make runs on this machine; returns 128 + the signal that stopped it, or 0."""
    from mmaction_ext.cli.board import Board
    from mmaction_ext.suites.executors.local import LocalExecutor

    with Board() as board:
        executor = LocalExecutor(suite, DEFAULT_RUNS, slots, args.retries, board)
        executor.run(tasks)
    if executor.signal is None:
        return 0
    ended = sum(state.word == 'done' for state in executor.states)
    print(f'stopped with {ended} of {len(tasks)} runs done; the same command goes on from here')
    return 128 + executor.signal


def run_there(suite: Suite, tasks: Sequence[Task], args: Namespace, resources: Resources) -> None:
    """Hand runs to Slurm; comes back when it has them."""
    from mmaction_ext.suites.executors.slurm import SlurmExecutor

    handed = SlurmExecutor(suite, DEFAULT_RUNS, resources, args.retries).submit(tasks)
    if not handed:  # why was said
        return
    print(
        f'Slurm has {len(handed)} runs now: mmaction-ext status --suite {suite.name}, '
        f'mmaction-ext cancel {suite.name}'
    )


def say_leftovers(specs: Sequence[TableSpec], plan: SuitePlan) -> int:
    """Say which rows and seeds have no result yet; returns 1 if there are any."""
    lines = [
        f'still running: {_named(specs, table, gap)} ({process_of(gap.row_seed.living)})'
        if gap.row_seed.living
        else f'still without a result: {_named(specs, table, gap)} ({gap.reason})'
        for table, gap in plan.left
    ]
    lacking = dict.fromkeys(name for task in plan.tasks for name in task.serves)
    lines += [
        _without_result(name.partition(': ')[2] if len(specs) == 1 else name) for name in lacking
    ]
    for line in lines[:MOST_LINES]:
        print(clean(line), file=sys.stderr)
    if len(lines) > MOST_LINES:
        print(f'and {len(lines) - MOST_LINES} more without a result', file=sys.stderr)
    return int(bool(lines))


def _without_result(name: str) -> str:
    return (
        f'still without a result: {name} (the footnotes of the table that `mmaction-ext tables` '
        'writes say why)'
    )


def _named(specs: Sequence[TableSpec], table: str, gap: Gap) -> str:
    """Name of a row and seed; with that of its table where there are several."""
    name = gap.row_seed.name
    return name if len(specs) == 1 else f'{table}: {name}'
