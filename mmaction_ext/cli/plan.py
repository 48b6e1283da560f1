"""List what tables still lack: rows and seeds that are missing, failed, stale or running.

Says for each row what training it costs, and for each gap the command that fills it. With --power
it says how many seeds a difference needs, and which rows are not told apart yet.
"""

import functools
import shlex
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mmaction_ext.cli.common import (
    add_complexity_option,
    add_json_option,
    add_lock_options,
    add_runs_option,
    add_tables_argument,
    load_tables,
    needed_metrics,
    read_counts,
    read_records,
)
from mmaction_ext.cli.text import clean, columns, fold, print_json, quantity
from mmaction_ext.errors import InputError, check_at_least, check_positive
from mmaction_ext.suites.compute import TrainingCompute, training_compute
from mmaction_ext.tables import TableSpec, build_tables, read_lock, resolve_configs
from mmaction_ext.tables.complexity import Counts
from mmaction_ext.tables.gaps import Gap, find_gaps, job_kind, ordered_jobs
from mmaction_ext.tables.power import table_power
from mmaction_ext.tables.row_seeds import RowSeed, row_seeds
from mmaction_ext.tables.run_index import RunIndex
from mmaction_ext.tracking.identity import load_config
from mmaction_ext.tracking.reading.record import RunRecord

NAME = 'plan'
HELP = 'what tables lack, what it costs, how to train it'
EPILOG = """examples:
  mmaction-ext plan                                       one line per table of configs/
  mmaction-ext plan configs/dcf/table1_components          its rows, costs and commands
  mmaction-ext plan dcf_table1 --missing --gpus 8          only the gaps, for 8 GPUs
  mmaction-ext plan dcf_table1 --commands | sh             train whatever is lacking, in order
  mmaction-ext plan dcf_table1 --power 2                   seeds that 2 points of difference need
  mmaction-ext plan dcf_table1 --power 2 --locked          the same without any run

states:
  done       the table has its numbers     missing    no run, or none with a result
  failed     ended with an error, killed   stale      only runs of another version of the config
  diverged   losses or scores that are not finite: change the recipe
  running    a process works on it         unfinished no exit record, nobody can tell
  conflict, untrusted   results differ, a log is damaged: look at it (mmaction-ext doctor)

The cost of training is estimated as 3 x multiply-adds of a view x clips seen; multiply-adds come
from reports/complexity.csv, clips from the training list (if it is on this machine) x epochs.

--power counts in the unit in which the column is printed, percentage points of an accuracy. Each
row is compared with the table's reference row, or the one that its relative_to names, seed by
seed; at least three seeds must be common to both.

exit codes: 0 nothing is lacking, or --power: each row has the seeds it needs; 1 something is;
2 bad input
"""
HEADS = ('row', 'seeds', 'params', 'MACs', 'length', 'samples', 'training')
_COLOURS = dict(
    done='green', diverged='red', failed='red', conflict='red', untrusted='red', running='blue'
)


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command line."""
    add_tables_argument(parser)
    add_runs_option(parser)
    add_complexity_option(parser)
    parser.add_argument(
        '--missing', action='store_true', help='only rows and seeds that are not done'
    )
    parser.add_argument(
        '--commands',
        action='store_true',
        help='print nothing but the commands, one per line, in order',
    )
    parser.add_argument(
        '--gpus',
        type=int,
        default=1,
        metavar='N',
        help='write the commands for N GPUs, or CPU processes (default: 1)',
    )
    parser.add_argument(
        '--power',
        type=float,
        metavar='POINTS',
        help='say instead how many seeds a difference of POINTS needs to be told from noise '
        '(paired by seed, two-sided 5 %%, 80 %% power), and which rows are not told apart yet',
    )
    parser.add_argument(
        '--metric',
        metavar='KEY',
        help='column that --power looks at (default: the first measured)',
    )
    add_lock_options(parser, 'with --power: go by the lock file of the tables instead of the runs')
    add_json_option(parser)


@dataclass(frozen=True)
class SeedPlan:
    """What is to be done for one row and seed.

    Attributes:
        seed: the seed.
        state: word of :data:`EPILOG`.
        reason: why it is not done, and why nothing is to be run.
        command: what would mend it; empty where nothing is to be run.
        needs: commands to be run before, for runs whose weights or predictions it takes.
        kind: of ``command``, as a :class:`mmaction_ext.tables.gaps.Job` has it.
    """

    seed: int
    state: str
    reason: str
    command: str
    needs: tuple[str, ...] = ()
    kind: str = ''


@dataclass(frozen=True)
class RowPlan:
    """A row with its compute and seeds.

    Attributes:
        id, label, config: of the row.
        kind: ``'train'``, ``'weights_of'`` (tested with the weights of another run),
            ``'ensemble'``, or ``'imported'``: of runs that are made elsewhere.
        compute: what each seed takes.
        seeds: :class:`SeedPlan` tuple.
    """

    id: str
    label: str
    config: str
    kind: str
    compute: TrainingCompute
    seeds: tuple[SeedPlan, ...]


@dataclass(frozen=True)
class TablePlan:
    """A table with its rows.

    Attributes:
        spec: its specification.
        rows: :class:`RowPlan` tuple.
        commands: what to run, in an order in which each finds what it needs.
    """

    spec: TableSpec
    rows: tuple[RowPlan, ...]
    commands: tuple[str, ...]

    @property
    def states(self) -> Counter[str]:
        """How many rows and seeds there are in each state."""
        return Counter(seed.state for row in self.rows for seed in row.seeds)

    @property
    def training(self) -> tuple[int, int]:
        """Multiply-adds of the trainings that are lacking, and how many have no known cost."""
        costs = [
            row.compute.training for row in self.rows for seed in row.seeds if seed.kind == 'train'
        ]
        return sum(filter(None, costs)), costs.count(None)

    @property
    def is_done(self) -> bool:
        """Whether nothing is lacking."""
        return not self.states.keys() - {'done'}


def run(args: Namespace) -> int:
    """Print the plan, or with --power that of seeds; returns 1 if anything is lacking."""
    check_at_least('--gpus', args.gpus, 1)
    if args.power is not None:
        return _plan_seeds(args)
    if args.locked or args.metric:
        raise InputError('--locked and --metric go with --power alone')
    specs = load_tables(args)
    records = RunIndex(read_records(args, specs, needed_metrics(specs)))
    complexity = read_counts(args)
    load = functools.cache(load_config)
    plans = [plan_table(spec, records, complexity, load, args.gpus) for spec in specs]
    if args.json:
        print_json([as_json(plan, args.missing) for plan in plans])
    elif args.commands:
        print('\n'.join(dict.fromkeys(line for plan in plans for line in plan.commands)))
    elif args.tables:
        print('\n\n'.join('\n'.join(describe(plan, args.missing)) for plan in plans))
    else:
        print('\n'.join(overview(plans, args.missing)))
    return int(not all(plan.is_done for plan in plans))


def _plan_seeds(args: Namespace) -> int:
    """Print how many seeds a difference needs; returns 1 if any row has fewer."""
    from mmaction_ext.cli import power

    check_positive('--power', args.power)
    if args.missing or args.commands:
        raise InputError('--missing and --commands do not go with --power')
    specs = load_tables(args, args.lock if args.locked else None)
    if args.locked:
        tables = build_tables(specs, (), locked=read_lock(args.lock))
    else:
        tables = build_tables(specs, read_records(args, specs, needed_metrics(specs)))
    if not args.tables:  # some have no runs
        tables = [table for table in tables if table.main_column]
    found = [table_power(table, args.power, args.metric) for table in tables]
    if args.json:
        print_json([power.as_json(each) for each in found])
    else:
        shown = found if args.tables else [each for each in found if each.means]
        texts = ['\n'.join(power.describe(each)) for each in shown]
        if len(shown) < len(found):
            texts.append(f'without any result: {len(found) - len(shown)} of {len(found)} tables')
        print('\n\n'.join(texts))
    return int(not all(each.is_enough for each in found))


def plan_table(
    spec: TableSpec,
    records: Sequence[RunRecord],
    complexity: Counts,
    load: Callable[..., dict[str, Any]],
    gpus: int = 1,
) -> TablePlan:
    """What a table has and lacks.

    Args:
        spec: :class:`mmaction_ext.tables.TableSpec`.
        records: run records.
        complexity: see :func:`mmaction_ext.tables.read_complexity`.
        load: reads a config file; one that remembers serves all tables.
        gpus: number of processes that the commands start.
    """
    found = row_seeds(spec, records, resolve_configs(spec, load))
    gaps = {gap.row_seed.name: gap for gap in find_gaps(found, spec, records, load)}
    rows: dict[str, list[RowSeed]] = {}
    for row_seed in found:
        rows.setdefault(row_seed.row.id, []).append(row_seed)
    return TablePlan(
        spec,
        tuple(_row_plan(group, gaps, load, records, complexity, gpus) for group in rows.values()),
        tuple(job.line(gpus) for job in ordered_jobs(gaps.values())),
    )


def _row_plan(
    group: Sequence[RowSeed],
    gaps: Mapping[Any, Gap],
    load: Callable[..., dict[str, Any]],
    records: Sequence[RunRecord],
    complexity: Counts,
    gpus: int,
) -> RowPlan:
    """Plan of one row, from its :class:`RowSeed` list."""
    row = group[0].row
    seeds = tuple(_seed_plan(row_seed, gaps.get(row_seed.name), gpus) for row_seed in group)
    if row.foreign:
        return RowPlan(row.id, row.label, '', 'imported', TrainingCompute(), seeds)
    content = load(*row.load_arguments)
    return RowPlan(
        row.id,
        row.label,
        str(row.config),
        job_kind(content),
        training_compute(group[0].config, content, records, complexity),
        seeds,
    )


def _seed_plan(row_seed: RowSeed, gap: Gap | None, gpus: int) -> SeedPlan:
    if gap is None:
        return SeedPlan(row_seed.seed, 'done', '', '')
    *needs, command = [job.line(gpus) for job in gap.jobs] or ['']
    kind = gap.jobs[-1].kind if gap.jobs else ''
    return SeedPlan(row_seed.seed, row_seed.status.value, gap.reason, command, tuple(needs), kind)


def overview(plans: Sequence[TablePlan], only_missing: bool = False) -> list[str]:
    """One line per table, and a line about all of them."""
    shown = [plan for plan in plans if not (only_missing and plan.is_done)]
    lines = columns(
        (
            [
                plan.spec.id,
                f'{plan.states["done"]} of {plan.states.total()}',
                _states(plan.states),
                _training(plan),
            ]
            for plan in shown
        ),
        ('table', 'done', 'lacking', 'training (MACs)'),
        right=('training (MACs)',),
        elastic=(2, 0),
        colours=_COLOURS,
    )
    total = sum((plan.states for plan in plans), Counter())
    return [
        *lines,
        '',
        f'{total["done"]} of {total.total()} rows and seeds are done in '
        f'{len(plans)} table{"s" * (len(plans) > 1)}. `plan TABLE` lists the commands for the '
        'others.',
    ]


def describe(plan: TablePlan, only_missing: bool = False) -> list[str]:
    """Lines about one table: rows, sum, commands."""
    rows = [
        row
        for row in plan.rows
        if not only_missing or any(seed.state != 'done' for seed in row.seeds)
    ]
    lines = [
        f'{clean(plan.spec.id)}: {plan.states["done"]} of {plan.states.total()} done '
        f'({clean(plan.spec.path)})',
        '',
    ]
    lines += columns(
        (_row_cells(row, only_missing) for row in rows),
        HEADS,
        right=HEADS[2:4] + HEADS[5:],
        elastic=(1, 0),
        colours=_COLOURS,
    )
    if not plan.is_done:
        lines += ['', f'lacking: {_states(plan.states)}; training: {_training(plan) or 0} MACs']
    return lines + _problems(plan) + _command_lines(plan)


def _row_cells(row: RowPlan, only_missing: bool) -> list[object]:
    seeds = [seed for seed in row.seeds if not only_missing or seed.state != 'done']
    states: dict[str, list[str]] = {}
    for seed in seeds:
        states.setdefault(seed.state, []).append(str(seed.seed))
    compute = row.compute
    length = f'{compute.length[1]} {compute.length[0]}s' if compute.length else ''
    return [
        row.id,
        '; '.join(f'{state} {",".join(names)}' for state, names in states.items()),
        quantity(compute.params),
        quantity(compute.macs),
        length if row.kind == 'train' else row.kind.replace('_', ' '),
        '' if compute.samples is None else compute.samples,
        quantity(compute.training),
    ]


def _states(states: Counter[str]) -> str:
    return ', '.join(
        f'{count} {state}' for state, count in sorted(states.items()) if state != 'done'
    )


def _training(plan: TablePlan) -> str:
    macs, unknown = plan.training
    text = quantity(macs) if macs else ''
    if not unknown:
        return text
    return f'{text} + {unknown} unknown' if text else f'{unknown} unknown'


def _problems(plan: TablePlan) -> list[str]:
    """Why what is neither done nor missing is not done."""
    texts = [
        f'{clean(row.id)}/seed{seed.seed} {seed.state}: {clean(seed.reason)}'
        for row in plan.rows
        for seed in row.seeds
        if seed.state != 'done' and not (seed.state == 'missing' and seed.command)
    ]
    lines = [line for text in texts for line in fold(text, '  ', '    ')]
    return ['', 'why:', *lines] if lines else []


def _command_lines(plan: TablePlan) -> list[str]:
    if not plan.commands:
        return []
    lines = ['', 'to run:', *(f'  {clean(command)}' for command in plan.commands)]
    if len(plan.commands) > 1:
        table = shlex.join(['mmaction-ext', 'launch', str(plan.spec.path)])
        lines += ['or all of it:', f'  {clean(table)}']
    return lines


def as_json(plan: TablePlan, only_missing: bool = False) -> dict[str, Any]:
    """The plan of one table as plain data."""
    rows = []
    for row in plan.rows:
        seeds = [asdict(seed) for seed in row.seeds if not only_missing or seed.state != 'done']
        if seeds:
            rows.append(
                dict(
                    id=row.id,
                    label=row.label,
                    config=row.config,
                    kind=row.kind,
                    cost=dict(asdict(row.compute), training=row.compute.training),
                    seeds=seeds,
                )
            )
    macs, unknown = plan.training
    return dict(
        id=plan.spec.id,
        spec=Path(plan.spec.path).as_posix(),
        states=plan.states,
        training=dict(macs=macs, unknown=unknown),
        rows=rows,
    )
