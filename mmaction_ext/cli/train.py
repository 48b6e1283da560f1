"""Train one config under one seed, then test its last checkpoint.

The config's path and the seed are the run's identity: they name its folder
(work_dirs/<path below configs>/seed<k>), its W&B group and its W&B run. A config of several
folds needs one of them, --fold, which stands behind its name there.
"""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from mmaction_ext.cli.config_options import (
    add_fold_option,
    add_overrides_option,
    add_processes_options,
    spread,
)
from mmaction_ext.errors import Diverged, InputError, Preempted, check_at_least

if TYPE_CHECKING:
    from mmengine.config import Config

    from mmaction_ext.engine.interruption import Interruption
    from mmaction_ext.engine.run import Run

NAME = 'train'
HELP = 'train one config under one seed, then test it'
EPILOG = """examples:
  mmaction-ext train configs/synthmotion/dcf/table1_components/full.py --seed 1
  mmaction-ext train CONFIG --resume          go on from the newest readable checkpoint
  mmaction-ext train CONFIG --cfg-options train_cfg.max_epochs=2 optim_wrapper.optimizer.lr=1e-3
  mmaction-ext train CONFIG --gpus 8          the same on 8 GPUs (or CPU processes)

A run that is resumed goes on at the next batch, whatever interrupted it, with the weights that
it would have had without: to the bit on the CPU with --deterministic. SIGUSR1 and SIGUSR2 (the
warnings of Slurm and submitit), SIGTERM and Ctrl-C have it save a checkpoint after the step under
way first.

exit codes: 0 trained and tested; 2 the config, data or folder cannot be used (one line says why);
3 the loss stayed non-finite; 75 stopped on a warning: start it again with --resume; 130
interrupted by Ctrl-C; 143 by SIGTERM
"""
INTERRUPTED = 'interrupted; --resume goes on from the newest checkpoint'
EXPECTED = (InputError,)


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument('config', help='config file')
    add_fold_option(parser)
    parser.add_argument('--seed', type=int, help="random seed (default: the config's, or 0)")
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
    parser.add_argument(
        '--checkpoint-interval',
        metavar='INTERVAL',
        help='save a checkpoint between two epochs, too: every so many iterations (200) or every '
        "so long (30s, 10min, 2h); default: the config's checkpoint_interval, or none",
    )
    parser.add_argument(
        '--keep-best',
        action='append',
        default=[],
        metavar='METRIC',
        help='also keep the checkpoint with the best METRIC of the validation (acc/top1); '
        'may be given several times',
    )
    parser.add_argument(
        '--config-hash',
        metavar='HASH',
        help='refuse to train if the config has another hash: it was edited since',
    )
    parser.add_argument(
        '--log-artifact',
        action='store_true',
        help='also keep the tested checkpoint as a W&B artifact (an offline run '
        'only notes where it lies; `wandb sync` uploads it from there)',
    )
    _add_recipe_options(parser)
    add_processes_options(parser)


def _add_recipe_options(parser: ArgumentParser) -> None:
    """What changes how the config trains."""
    group = parser.add_argument_group('recipe')
    add_overrides_option(
        group,
        'override settings of the config, e.g. '
        'optim_wrapper.optimizer.lr=0.1 or key="[(a,b),(c,d)]" (no spaces). '
        'A run whose recipe differs from its file gets a folder of its own '
        'and no cell of a table',
    )
    for option, text in (
        ('--amp', 'mixed precision (needs a GPU)'),
        (
            '--auto-scale-lr',
            'scale the learning rate with the batch of all processes, from the base_batch_size of '
            "the config's auto_scale_lr on",
        ),
        ('--deterministic', 'deterministic cuDNN and torch algorithms'),
        ('--diff-rank-seed', 'seed every process differently'),
        ('--no-validate', 'do not evaluate on the validation split while training'),
        ('--no-test', 'do not evaluate on the test split at the end'),
    ):
        group.add_argument(option, action='store_true', help=text)
    group.add_argument(
        '--max-nonfinite-losses',
        type=int,
        default=20,
        metavar='N',
        help='stop when the loss is NaN or infinite in N iterations in a row '
        '(default: 20; 0: go on whatever the loss)',
    )


def run(args: Namespace) -> int:
    """Train and test; returns the exit code."""
    code = spread(args)
    if code is not None:
        return code
    from mmaction_ext import compat

    compat.apply()
    from mmaction_ext.engine.interruption import Interruption

    interruption = Interruption()
    with interruption.expected():
        try:
            begun = prepare(args)
            try:
                with begun.under_way('free some and use --resume'):
                    train(begun, args.max_nonfinite_losses, not args.no_test, interruption)
            except InputError as error:
                return error.exit(every_rank=not isinstance(error, Diverged))
        except Preempted as error:
            if os.environ.get('RANK', '0') == '0':
                print(error, file=sys.stderr)
            return error.exit_code
    return 0


def configure(cfg: Config, args: Namespace) -> None:
    """Change the config as the command line asks, beside ``--cfg-options``."""
    from mmaction_ext.engine import run_config

    for name in ('deterministic', 'diff_rank_seed'):
        if getattr(args, name):
            cfg.randomness[name] = True
    if args.amp:
        run_config.use_amp(cfg)
    if args.auto_scale_lr:
        run_config.scale_learning_rate(cfg)
    if args.log_artifact:
        run_config.log_final_checkpoint(cfg)
    if args.checkpoint_interval is not None:
        cfg.checkpoint_interval = args.checkpoint_interval
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    for metric in args.keep_best:
        run_config.keep_best(cfg, metric)


def prepare(args: Namespace) -> Run:
    """The run up to its attempt; raises InputError where the user can help."""
    from mmaction_ext.engine.checks import check_trainable
    from mmaction_ext.engine.interruption import read_interval
    from mmaction_ext.engine.run import Run
    from mmaction_ext.engine.work_dir import check_resumable

    run = Run(args.config, 'train', args.cfg_options, args.fold)
    if 'ensemble' in run.cfg:
        raise InputError(
            f'{args.config} is an ensemble: train its members, then run '
            f'mmaction-ext test-ensemble {args.config}'
        )
    if run.cfg.get('weights_of'):
        raise InputError(
            f'{args.config} has the weights of {run.cfg.weights_of}: train that one, '
            f'then run mmaction-ext test {args.config}'
        )
    check_trainable(run.cfg)
    check_at_least('--max-nonfinite-losses', args.max_nonfinite_losses, 0)
    run.join(args.launcher)
    changes = {name: True for name in ('amp', 'auto_scale_lr') if getattr(args, name)}
    run.identify(args.seed, **changes)
    if args.config_hash and args.config_hash not in run.identity.hashes:
        raise InputError(
            f'{args.config} has the hash {run.identity.config_hash}, not {args.config_hash}: it '
            'was changed since this training was planned'
        )
    run.cfg.randomness = dict(run.cfg.get('randomness', {}), seed=run.identity.seed)
    configure(run.cfg, args)
    if run.cfg.get('checkpoint_interval') is not None:
        read_interval(run.cfg.checkpoint_interval)
    run.settle(args.work_dir)
    if args.resume not in (None, 'auto'):
        check_resumable(args.resume, run.identity)
    run.check(['train'] + ['val'] * (not args.no_validate) + ['test'] * (not args.no_test))
    run.claim()
    run.start_from(args.resume)
    run.begin()
    return run


def train(run: Run, patience: int, test: bool, interruption: Interruption) -> None:
    """Train, then test the last checkpoint from its file, unless that has been done."""
    from mmaction_ext.engine.run_config import from_first_process
    from mmaction_ext.engine.work_dir import keep_checkpoint, load_for_test
    from mmaction_ext.tracking.writing.results import is_measured

    runner = run.runner(patience, interruption)
    if run.cfg.get('resume'):
        keep_checkpoint(runner)
    # goes into checkpoints
    runner.message_hub.update_info('config_hash', run.identity.config_hash)
    try:
        runner.train()
        if test and run.cfg.get('test_dataloader'):
            checkpoint = run.newest_checkpoint()
            if checkpoint and from_first_process(is_measured, run.cfg.work_dir, checkpoint):
                runner.logger.info(
                    f'{checkpoint} has been tested; mmaction-ext test does it again'
                )
                return
            load_for_test(runner, checkpoint)
            runner.test()
    finally:
        runner.visualizer.close()
