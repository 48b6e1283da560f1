"""Average the predictions of an ensemble's members and log the result as a test run.

An ensemble is a config that names its members, with paths relative to its own folder, and says
how to evaluate:

    _base_ = './tsm_r50_8f.py'
    ensemble = dict(members=['tsm_r50_8f.py', 'tsm_r50_16f.py'])

Nothing is run: the class probabilities of every member are read from the predictions.npz that
`mmaction-ext train` and `mmaction-ext test` leave in work_dirs/<member>/seed<k>.
"""

from __future__ import annotations

import time
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from mmaction_ext.cli.config_options import add_fold_option
from mmaction_ext.printable import clean

if TYPE_CHECKING:
    from mmengine.config import Config

    from mmaction_ext.tracking.writing.attempts import RunLedger

NAME = 'test-ensemble'
HELP = "average the predictions of an ensemble's members"
EPILOG = """exit codes: 0 logged; 2 a member's predictions are missing, stale or of other samples
(one line says which, and the command that makes them)
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument('config', help='config file of the ensemble')
    add_fold_option(parser)
    parser.add_argument('--seed', type=int, default=0, help='seed of all members (default: 0)')
    parser.add_argument(
        '--work-dir', help='folder for the log (default: work_dirs/<path of the config>/seed<k>)'
    )


def run(args: Namespace) -> int:
    """Average, evaluate, log and print; returns the exit code."""
    for name, value in evaluate(args).items():
        print(clean(f'{name}: {value}'))
    return 0


def log(cfg: Config, row: dict[str, Any], ledger: RunLedger) -> None:
    """Write one test row to the backends of the config's visualiser."""
    from mmengine.registry import VISUALIZERS, DefaultScope

    from mmaction_ext.tracking.writing.hooks import record_mirror

    folder = Path(cfg.work_dir) / time.strftime('%Y%m%d_%H%M%S')
    with DefaultScope.overwrite_default_scope('mmaction'):
        visualizer = VISUALIZERS.build(
            dict(cfg.visualizer, name=folder.as_posix(), save_dir=str(folder))
        )
    try:
        visualizer.add_config(cfg)
        record_mirror(visualizer, ledger)
        visualizer.add_scalars(row, step=row['iter'])
    finally:
        visualizer.close()


def evaluate(args: Namespace) -> dict[str, Any]:
    """Average, evaluate and log; returns the row."""
    from mmaction_ext import compat

    compat.apply()
    from mmaction_ext.engine import ensemble
    from mmaction_ext.engine.checks import check_output_folder
    from mmaction_ext.engine.run import Run
    from mmaction_ext.tracking.writing.results import write_result

    run = Run(args.config, 'test', fold=args.fold)
    run.identify(args.seed)
    run.settle(args.work_dir)
    members = ensemble.find_members(run.path, run.resolved, run.identity.seed, run.fold)
    row = ensemble.evaluate(run.cfg, [ensemble.member_predictions(each) for each in members])
    run.complexity = ensemble.complexity(members)
    check_output_folder(run.cfg.work_dir)
    run.claim()
    run.begin()
    ledger = cast('RunLedger', run.ledger)  # there is no other process
    with run.under_way('free some and test again'):
        log(run.cfg, row, ledger)
        write_result(run.cfg.work_dir, ledger.number, ensemble.result(run.cfg, ledger.run, row))
    return row
