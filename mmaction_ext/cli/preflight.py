"""See whether configs can be trained and tested on this machine, before hours are queued.

Each config, or row of a table, is looked at once, in a process of its own: what it builds, its
lists and the first and the last video of each split, the folder and the disk for its checkpoints,
a training step with a real batch and a batch of the test, with their time and memory. Nothing is
written into the folder of a run.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from mmaction_ext.cli.common import add_configs_option, add_json_option, load_tables
from mmaction_ext.cli.config_options import add_fold_option, add_overrides_option
from mmaction_ext.cli.text import clean, duration, print_json, quantity
from mmaction_ext.errors import InputError, check_at_least, check_positive
from mmaction_ext.tracking.identity import (
    ensemble_members,
    load_config,
    shared_fold,
    weights_source,
)

if TYPE_CHECKING:
    from mmaction_ext.engine.preflight import Outcome, Target

NAME = 'preflight'
HELP = 'see whether configs can be trained here, before they are queued'
EPILOG = """examples:
  mmaction-ext preflight dcf_table1                     every row of a table
  mmaction-ext preflight configs/synthmotion/dcf        those of all tables in a folder
  mmaction-ext preflight CONFIG.py --no-step            without a step: no GPU is needed
  mmaction-ext preflight dcf_table1 --gpus 8            with the batch that each of 8 GPUs gets

Rows that are tested with the weights of other configs, or average them, bring those along. A step
is that of one process: times leave out the reading of videos and the exchange of gradients; memory
is what is allocated on the GPU or, without one, the whole process.

exit codes: 0 all can be trained; 1 some cannot (one line says why); 2 bad input; 130 interrupted
"""
INTERRUPTED = 'interrupted'


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument(
        'targets',
        nargs='+',
        metavar='CONFIG|TABLE',
        help='config file, or table.yaml, a folder searched for such files, or the id of a table',
    )
    add_configs_option(parser)
    add_fold_option(parser)
    parser.add_argument(
        '--no-step', action='store_true', help='neither train nor evaluate a batch'
    )
    parser.add_argument(
        '--gpus',
        type=int,
        default=1,
        metavar='N',
        help='processes that a training is to be spread over (default: 1)',
    )
    parser.add_argument(
        '--timeout',
        type=float,
        default=900.0,
        metavar='SECONDS',
        help='give up on a config that takes longer (default: 900)',
    )
    add_overrides_option(parser)
    add_json_option(parser)


def run(args: Namespace) -> int:
    """Print a line per config as each is known; returns 1 if any cannot be trained."""
    from mmaction_ext.engine.preflight import preflight

    check_at_least('--gpus', args.gpus, 1)
    check_positive('--timeout', args.timeout)
    targets = list(dict.fromkeys(find_targets(args)))
    outcomes = []
    for outcome in preflight(
        targets,
        options=args.cfg_options,
        processes=args.gpus,
        makes_step=not args.no_step,
        timeout=args.timeout,
    ):
        outcomes.append(outcome)
        if not args.json:
            print(clean(describe(outcome)), flush=True)
    failed = sum(bool(outcome.problem) for outcome in outcomes)
    if args.json:
        print_json([dict(asdict(outcome), training=outcome.training) for outcome in outcomes])
    elif len(outcomes) > 1:
        print(f'{len(outcomes) - failed} of {len(outcomes)} can be trained')
    return int(failed > 0)


def find_targets(args: Namespace) -> Iterator[Target]:
    """The configs that are named, and those of the rows of tables; before each, what it needs.

    Raises:
        InputError: a table or a config cannot be read.
    """
    tables = []
    for name in args.targets:
        if name.endswith('.py'):
            yield from _with_sources(Path(name), args.fold or '')
        else:
            tables.append(name)
    if not tables:
        return
    if args.fold:
        raise InputError(f'--fold {args.fold} is for config files; a table names its folds')
    for spec in load_tables(Namespace(tables=tables, configs=args.configs)):
        for row in spec.configured:
            yield from _with_sources(*row.load_arguments)


def _with_sources(path: Path, fold: str = '') -> Iterator[Target]:
    """A config behind those whose weights or predictions it takes; in all its folds."""
    from mmaction_ext.engine.preflight import Target

    try:
        content = load_config(path, fold)
        folds: Iterable[object] = [fold] if fold else content.get('folds') or ['']
        found = [weights_source(path, content), *ensemble_members(path, content)]
    except ValueError as error:
        raise InputError(' '.join(str(error).split())) from error
    for each in map(str, folds):
        for source in filter(None, found):
            yield from _with_sources(source, *shared_fold(source, each))
        yield Target(path, each)


def describe(outcome: Outcome) -> str:
    """One line about a config."""
    if outcome.problem:
        return f'FAILED  {outcome.name}: {outcome.problem}'
    facts = []
    if outcome.step is not None:
        facts.append(f'{outcome.step:.3g} s a step')
    if outcome.training is not None:
        facts.append(f'{duration(outcome.training)} of steps')
    if outcome.memory is not None:
        facts.append(f'{quantity(outcome.memory)}B of memory ({outcome.device})')
    if outcome.disk:
        facts.append(f'{quantity(outcome.disk)}B of checkpoints')
    return f'ok      {outcome.name}' + (f': {", ".join(facts)}' if facts else '')
