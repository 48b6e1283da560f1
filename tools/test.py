"""Evaluate a checkpoint on its config's test split and log the result to the run's W&B group.

The predictions are written to predictions.npz in the folder of the log (names of the samples,
labels, class probabilities), from which tools/test_ensemble.py averages them.
"""

import argparse
import os

from mmengine.config import DictAction

from mmaction_ext import compat
from mmaction_ext.errors import InputError


def parse_args():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='checkpoint file (default: the newest one '
        "of the config's run under the seed, or of the run of the config that "
        'its weights_of names)',
    )
    parser.add_argument(
        '--work-dir',
        help='folder for the log (default: test/ inside work_dirs/<path of the config>/seed<k>)',
    )
    parser.add_argument(
        '--seed',
        type=int,
        help='seed of the run that the checkpoint belongs to '
        "(default: the one written in the checkpoint, or the config's, or 0)",
    )
    parser.add_argument(
        '--dump',
        metavar='FILE.pkl',
        help='also write the predictions as mmengine does, to a pickle file',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        metavar='KEY=VALUE',
        help='override settings of the config',
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


def add_dump(cfg, path):
    """Append mmengine's prediction writer to the test evaluators."""
    if not path.endswith(('.pkl', '.pickle')):
        raise InputError(f'--dump {path} must end in .pkl')
    evaluator = cfg.test_evaluator
    evaluators = list(evaluator) if isinstance(evaluator, (list, tuple)) else [evaluator]
    cfg.test_evaluator = evaluators + [dict(type='DumpResults', out_file_path=path)]


def find_checkpoint(args, cfg):
    """The newest checkpoint of the run that trains the config's weights."""
    from mmaction_ext.engine import run_config, work_dir

    seed = run_config.choose_seed(cfg, args.seed)
    source, identity = run_config.identify_weights(args.config, seed)
    found = run_config.from_first_process(work_dir.newest_checkpoint, identity.work_dir())
    if found is None:
        raise InputError(
            f'{identity.work_dir()} holds no readable checkpoint to test; run '
            f'tools/train.py {source} --seed {seed} first'
        )
    return found


def prepare(args):
    """Everything up to the runner; raises InputError for what the user can mend."""
    from mmaction_ext.engine import checks, run_config, work_dir

    compat.apply()
    options = args.cfg_options or {}
    cfg = run_config.read_config(args.config, options)
    if 'ensemble' in cfg:
        raise InputError(f'{args.config} is an ensemble: use tools/test_ensemble.py {args.config}')
    rank, world_size = run_config.join_processes(args.launcher, cfg.get('env_cfg', {}))
    args.checkpoint = args.checkpoint or find_checkpoint(args, cfg)
    meta = work_dir.checkpoint_meta(args.checkpoint)
    seed = run_config.choose_seed(cfg, meta.get('seed') if args.seed is None else args.seed)
    identity, overrides = run_config.identify(args.config, seed, options)
    trained_with = work_dir.trained_config_hash(args.checkpoint)
    _, trained = run_config.identify_weights(args.config, seed)
    if trained_with not in trained.hashes and not overrides:
        overrides = dict(checkpoint_config_hash=trained_with)
    home = work_dir.default_work_dir(identity, overrides)
    cfg.work_dir = args.work_dir or os.path.join(home, 'test')
    identity = run_config.from_first_process(work_dir.as_begun, identity, cfg.work_dir, home)
    cfg.launcher = args.launcher
    cfg.randomness = dict(seed=seed)
    for key in (
        'train_cfg',
        'train_dataloader',
        'optim_wrapper',
        'param_scheduler',
        'val_cfg',
        'val_dataloader',
        'val_evaluator',
    ):
        cfg[key] = None
    run_config.adapt_to_processes(cfg, world_size)
    if args.dump:
        add_dump(cfg, args.dump)
    checks.check_output_folder(cfg.work_dir)
    static = checks.check_model(cfg)
    checks.check_loaders(cfg, ['test'])
    checks.check_testing_views(cfg, ['test'])
    checks.check_frames(cfg, ['test'])
    checks.check_datasets(cfg, ['test'])
    lock = None
    if rank == 0:
        lock = work_dir.claim_work_dir(
            cfg.work_dir, identity, not args.work_dir, 'test', os.path.dirname(args.checkpoint)
        )
    run_config.keep_private(options)
    facts = run_config.attach_tracking(cfg, identity, overrides, static, 'test')
    run_config.attach_predictions(cfg, identity, overrides)
    run_config.watch_divergence(cfg)
    return cfg, run_config.begin_attempt(cfg, identity, facts, 'test', lock)


def run(cfg, checkpoint, attempt):
    """Load the checkpoint and evaluate it."""
    from mmengine.runner import Runner

    from mmaction_ext.engine import work_dir
    from mmaction_ext.tracking.writing.hooks import record_progress

    runner = Runner.from_cfg(cfg)
    record_progress(runner, attempt)
    try:
        work_dir.load_for_test(runner, checkpoint)
        runner.test()
    finally:
        runner.visualizer.close()


def main():
    """Run the tool."""
    args = parse_args()
    try:
        cfg, attempt = prepare(args)
    except InputError as error:
        raise SystemExit(error.exit()) from None
    from mmaction_ext.engine.work_dir import explain_full_disk

    try:
        with explain_full_disk(cfg.work_dir, 'free some and test again'), attempt:
            run(cfg, args.checkpoint, attempt)
    except InputError as error:
        raise SystemExit(error.exit(every_rank=True)) from None


if __name__ == '__main__':
    main()
