"""Train one config under one seed, then test its last checkpoint.

The config's path and the seed are the run's identity: they name its folder
(work_dirs/<path below configs>/seed<k>), its W&B group and its W&B run.
"""

import argparse
import os
import sys

from mmengine.config import DictAction

from mmaction_ext import compat
from mmaction_ext.errors import Diverged, InputError, check_at_least
from mmaction_ext.printable import clean

EPILOG = """examples:
  python tools/train.py configs/synthmotion/dcf/table1_components/full.py --seed 1
  python tools/train.py CONFIG --resume          go on from the newest readable checkpoint
  python tools/train.py CONFIG --cfg-options train_cfg.max_epochs=2 optim_wrapper.optimizer.lr=1e-3
  bash tools/dist_train.sh CONFIG 8              the same on 8 GPUs (or CPU processes)

exit codes: 0 trained and tested; 2 the config, data or folder cannot be used (one line says why);
3 the loss stayed non-finite; 130 interrupted
"""


def parse_args():
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


def configure(cfg, args, world_size):
    """Fill in the config of the run that the command line asks for, and say who it is."""
    from mmaction_ext.engine import run_config, work_dir

    options = args.cfg_options or {}
    recorded = dict(options, amp=True) if args.amp else options
    seed = run_config.choose_seed(cfg, args.seed)
    identity, overrides = run_config.identify(args.config, seed, recorded)
    cfg.randomness = dict(cfg.get('randomness', {}), seed=seed)
    if args.deterministic:
        cfg.randomness.deterministic = True
    cfg.work_dir = args.work_dir or work_dir.default_work_dir(identity, overrides)
    identity = run_config.from_first_process(work_dir.as_begun, identity, cfg.work_dir)
    cfg.launcher = args.launcher
    if args.amp:
        run_config.use_amp(cfg)
    if args.log_artifact:
        run_config.log_final_checkpoint(cfg)
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    run_config.adapt_to_processes(cfg, world_size)
    return identity, overrides


def check(cfg, args):
    """Find what is wrong before training; returns parameters and multiply-adds."""
    from mmaction_ext.engine import checks

    splits = ['train'] + ['val'] * (not args.no_validate) + ['test'] * (not args.no_test)
    checks.check_output_folder(cfg.work_dir)
    static = checks.check_model(cfg)
    checks.check_loaders(cfg, splits)
    checks.check_testing_views(cfg, splits)
    checks.check_frames(cfg, splits)
    checks.check_datasets(cfg, splits)
    return static


def prepare(args):
    """Config, identity and attempt of the run; raises InputError where the user can help."""
    from mmengine.dist import barrier

    from mmaction_ext.engine import checks, run_config, work_dir
    from mmaction_ext.engine.initial_weights import check_fit

    compat.apply()
    cfg = run_config.read_config(args.config, args.cfg_options)
    if 'ensemble' in cfg:
        raise InputError(
            f'{args.config} is an ensemble: train its members, then run '
            f'tools/test_ensemble.py {args.config}'
        )
    if cfg.get('weights_of'):
        raise InputError(
            f'{args.config} has the weights of {cfg.weights_of}: train that one, '
            f'then run tools/test.py {args.config}'
        )
    checks.check_trainable(cfg)
    check_at_least('--max-nonfinite-losses', args.max_nonfinite_losses, 0)
    rank, world_size = run_config.join_processes(args.launcher, cfg.get('env_cfg', {}))
    identity, overrides = configure(cfg, args, world_size)
    if args.resume not in (None, 'auto'):
        work_dir.check_resumable(args.resume, identity)
    static = check(cfg, args)
    lock = None
    if rank == 0:
        lock = work_dir.claim_work_dir(cfg.work_dir, identity, movable=not args.work_dir)
    barrier()
    initial_weights, fits = cfg.get('load_from'), []
    checkpoint = args.resume
    if checkpoint == 'auto':
        checkpoint = run_config.from_first_process(work_dir.newest_checkpoint, cfg.work_dir)
    if checkpoint:
        cfg.load_from, cfg.resume = checkpoint, True
    else:
        checks.check_initial_weights(cfg)
        fits = check_fit(cfg)
    for fit in fits if rank == 0 else ():
        print(clean(fit.sentence()))
    run_config.keep_private(args.cfg_options)
    facts = run_config.attach_tracking(cfg, identity, overrides, static, 'train')
    run_config.attach_predictions(cfg, identity, overrides)
    run_config.watch_divergence(cfg, args.max_nonfinite_losses)
    attempt = run_config.begin_attempt(cfg, identity, facts, 'train', lock, initial_weights, fits)
    return cfg, identity, attempt


def run(cfg, identity, test, attempt):
    """Train, then test the last checkpoint from its file."""
    from mmengine.runner import Runner

    from mmaction_ext.engine import run_config, work_dir
    from mmaction_ext.tracking.writing.hooks import record_progress

    runner = Runner.from_cfg(cfg)
    record_progress(runner, attempt)
    if cfg.get('resume'):
        work_dir.keep_checkpoint(runner)
    runner.message_hub.update_info('config_hash', identity.config_hash)  # goes into checkpoints
    try:
        runner.train()
        if test and cfg.get('test_dataloader'):
            checkpoint = run_config.from_first_process(work_dir.newest_checkpoint, cfg.work_dir)
            work_dir.load_for_test(runner, checkpoint)
            runner.test()
    finally:
        runner.visualizer.close()


def main():
    """Run the tool."""
    args = parse_args()
    try:
        cfg, identity, attempt = prepare(args)
    except InputError as error:
        raise SystemExit(error.exit()) from None
    from mmaction_ext.engine.work_dir import explain_full_disk

    try:
        with explain_full_disk(cfg.work_dir, 'free some and use --resume'), attempt:
            run(cfg, identity, not args.no_test, attempt)
    except InputError as error:
        raise SystemExit(error.exit(every_rank=not isinstance(error, Diverged))) from None
    except KeyboardInterrupt:
        print('interrupted; --resume goes on from the newest checkpoint', file=sys.stderr)
        raise SystemExit(130) from None


if __name__ == '__main__':
    main()
