"""Train one config under one seed, then test its last checkpoint.

The config's path and the seed are the run's identity: they name its folder
(work_dirs/<path below configs>/seed<k>), its W&B group and its W&B run.
"""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from mmengine.config import Config, DictAction

from mmaction_ext import compat
from mmaction_ext.errors import Diverged, InputError, check_at_least

if TYPE_CHECKING:
    from mmaction_ext.engine.run import Run

EPILOG = """examples:
  python tools/train.py configs/synthmotion/dcf/table1_components/full.py --seed 1
  python tools/train.py CONFIG --resume          go on from the newest readable checkpoint
  python tools/train.py CONFIG --cfg-options train_cfg.max_epochs=2 optim_wrapper.optimizer.lr=1e-3
  bash tools/dist_train.sh CONFIG 8              the same on 8 GPUs (or CPU processes)

exit codes: 0 trained and tested; 2 the config, data or folder cannot be used (one line says why);
3 the loss stayed non-finite; 130 interrupted
"""


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--work-dir',
        help='folder for logs and checkpoints (default: work_dirs/<path of the config>/seed<k>)',
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        metavar='CHECKPOINT',
        help='go on from CHECKPOINT, or from the newest readable one of the '
        'work dir; starts from scratch where there is none',
    )
    parser.add_argument('--amp', action='store_true', help='mixed precision (needs a GPU)')
    parser.add_argument(
        '--no-validate',
        action='store_true',
        help='do not evaluate on the validation split while training',
    )
    parser.add_argument(
        '--no-test', action='store_true', help='do not evaluate on the test split at the end'
    )
    parser.add_argument(
        '--max-nonfinite-losses',
        type=int,
        default=20,
        metavar='N',
        help='stop when the loss is NaN or infinite in N iterations in a row '
        '(default: 20; 0: go on whatever the loss)',
    )
    parser.add_argument(
        '--log-artifact',
        action='store_true',
        help='also keep the tested checkpoint as a W&B artifact (an offline run '
        'only notes where it lies; `wandb sync` uploads it from there)',
    )
    parser.add_argument('--seed', type=int, help="random seed (default: the config's, or 0)")
    parser.add_argument(
        '--deterministic', action='store_true', help='deterministic cuDNN and torch algorithms'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='override settings of the config, e.g. '
        'optim_wrapper.optimizer.lr=0.1 or key="[(a,b),(c,d)]" (no spaces). '
        'A run whose recipe differs from its file gets a folder of its own '
        'and no cell of a table',
    )
    parser.add_argument(
        '--launcher',
        choices=['none', 'pytorch', 'slurm', 'mpi'],
        default='none',
        help='how processes were started',
    )
    parser.add_argument(
        '--local_rank', '--local-rank', type=int, default=0, help=argparse.SUPPRESS
    )
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def configure(cfg: Config, args: argparse.Namespace) -> None:
    """Change the config as the command line asks, beside ``--cfg-options``."""
    from mmaction_ext.engine import run_config

    if args.deterministic:
        cfg.randomness.deterministic = True
    if args.amp:
        run_config.use_amp(cfg)
    if args.log_artifact:
        run_config.log_final_checkpoint(cfg)
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None


def prepare(args: argparse.Namespace) -> Run:
    """The run up to its attempt; raises InputError where the user can help."""
    compat.apply()
    from mmaction_ext.engine.checks import check_trainable
    from mmaction_ext.engine.run import Run
    from mmaction_ext.engine.work_dir import check_resumable

    run = Run(args.config, 'train', args.cfg_options)
    if 'ensemble' in run.cfg:
        raise InputError(
            f'{args.config} is an ensemble: train its members, then run '
            f'tools/test_ensemble.py {args.config}'
        )
    if run.cfg.get('weights_of'):
        raise InputError(
            f'{args.config} has the weights of {run.cfg.weights_of}: train that one, '
            f'then run tools/test.py {args.config}'
        )
    check_trainable(run.cfg)
    check_at_least('--max-nonfinite-losses', args.max_nonfinite_losses, 0)
    run.join(args.launcher)
    run.identify(args.seed, **(dict(amp=True) if args.amp else {}))
    run.cfg.randomness = dict(run.cfg.get('randomness', {}), seed=run.identity.seed)
    configure(run.cfg, args)
    run.settle(args.work_dir)
    if args.resume not in (None, 'auto'):
        check_resumable(args.resume, run.identity)
    run.check(['train'] + ['val'] * (not args.no_validate) + ['test'] * (not args.no_test))
    run.claim()
    run.start_from(args.resume)
    run.begin()
    return run


def train(run: Run, patience: int, test: bool) -> None:
    """Train, then test the last checkpoint from its file."""
    from mmaction_ext.engine.work_dir import keep_checkpoint, load_for_test

    runner = run.runner(patience)
    if run.cfg.get('resume'):
        keep_checkpoint(runner)
    # goes into checkpoints
    runner.message_hub.update_info('config_hash', run.identity.config_hash)
    try:
        runner.train()
        if test and run.cfg.get('test_dataloader'):
            load_for_test(runner, run.newest_checkpoint())
            runner.test()
    finally:
        runner.visualizer.close()


def main() -> None:
    """Run the tool."""
    args = parse_args()
    try:
        run = prepare(args)
    except InputError as error:
        raise SystemExit(error.exit()) from None
    try:
        with run.under_way('free some and use --resume'):
            train(run, args.max_nonfinite_losses, not args.no_test)
    except InputError as error:
        raise SystemExit(error.exit(every_rank=not isinstance(error, Diverged))) from None
    except KeyboardInterrupt:
        print('interrupted; --resume goes on from the newest checkpoint', file=sys.stderr)
        raise SystemExit(130) from None


if __name__ == '__main__':
    main()
