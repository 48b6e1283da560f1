"""Evaluate a checkpoint on its config's test split and log the result to the run's W&B group.

The predictions are written to predictions.npz in the folder of the log (names of the samples,
labels, class probabilities), from which `mmaction-ext test-ensemble` averages them; those of
--best to predictions_best.npz. The result stands in tables as that of a training does, which may
have been made with --no-test, or killed before its test.
"""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING

from mmaction_ext.cli.config_options import (
    add_fold_option,
    add_overrides_option,
    add_processes_options,
    spread,
)
from mmaction_ext.errors import InputError

if TYPE_CHECKING:
    from mmengine.config import Config

    from mmaction_ext.engine.run import Run

NAME = 'test'
HELP = 'evaluate a checkpoint on the test split'
EPILOG = """examples:
  mmaction-ext test CONFIG --seed 1                 the newest checkpoint of that run
  mmaction-ext test CONFIG --seed 1 --best          the one that validated best, if it was kept
  mmaction-ext test CONFIG CHECKPOINT --gpus 8      on 8 GPUs (or CPU processes)

exit codes: 0 tested; 2 the config, data or checkpoint cannot be used (one line says why)
"""
EXPECTED = (InputError,)


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument('config', help='config file')
    add_fold_option(parser)
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='checkpoint file (default: the newest one '
        "of the config's run under the seed, or of the run of the config that "
        'its weights_of names)',
    )
    parser.add_argument(
        '--best',
        nargs='?',
        const='',
        metavar='METRIC',
        help='test the checkpoint that the run keeps as the best by METRIC of the validation '
        '(acc/top1; may be left out where it keeps one)',
    )
    parser.add_argument(
        '--seed',
        type=int,
        help='seed of the run that the checkpoint belongs to '
        "(default: the one written in the checkpoint, or the config's, or 0)",
    )
    parser.add_argument(
        '--work-dir',
        help='folder for the log (default: test/ inside work_dirs/<path of the config>/seed<k>)',
    )
    parser.add_argument(
        '--dump',
        metavar='FILE.pkl',
        help='also write the predictions as mmengine does, to a pickle file',
    )
    add_overrides_option(parser)
    add_processes_options(parser)


def run(args: Namespace) -> int:
    """Test; returns the exit code."""
    code = spread(args)
    if code is not None:
        return code
    begun = prepare(args)
    try:
        with begun.under_way('free some and test again'):
            test(begun, args.checkpoint)
    except InputError as error:
        return error.exit(every_rank=True)
    return 0


def add_dump(cfg: Config, path: str) -> None:
    """Append mmengine's prediction writer to the test evaluators."""
    if not path.endswith(('.pkl', '.pickle')):
        raise InputError(f'--dump {path} must end in .pkl')
    evaluator = cfg.test_evaluator
    evaluators = list(evaluator) if isinstance(evaluator, (list, tuple)) else [evaluator]
    cfg.test_evaluator = [*evaluators, dict(type='DumpResults', out_file_path=path)]


def find_checkpoint(run: Run, seed: int | None, best: str | None = None) -> str:
    """The newest checkpoint of the run that trains the config's weights, or its best one.

    Args:
        run: the test.
        seed: of both.
        best: the metric, see :func:`mmaction_ext.engine.work_dir.best_checkpoint`; the newest one
            if ``None``.
    """
    from mmaction_ext.engine import run_config, work_dir

    source, trained = run.identify_weights(run_config.choose_seed(run.cfg, seed))
    home = trained.work_dir()
    if best is not None:
        kept = run_config.from_first_process(work_dir.best_checkpoint, home, best)
        if kept is None:
            raise InputError(
                f'{home} keeps no checkpoint as the best{f" by {best}" if best else ""}: train '
                'with --keep-best METRIC'
            )
        return kept
    found = run_config.from_first_process(work_dir.newest_checkpoint, home)
    if found is None:
        raise InputError(
            f'{home} holds no readable checkpoint to test; run '
            f'mmaction-ext train {source}{f" --fold {trained.fold}" if trained.fold else ""} '
            f'--seed {trained.seed} first'
        )
    return found


def prepare(args: Namespace) -> Run:
    """The run up to its attempt; raises InputError where the user can help."""
    from mmaction_ext import compat

    compat.apply()
    from mmaction_ext.engine import run_config, work_dir
    from mmaction_ext.engine.run import Run
    from mmaction_ext.evaluation.predictions import BEST_FILE_NAME

    run = Run(args.config, 'test', args.cfg_options, args.fold)
    if 'ensemble' in run.cfg:
        raise InputError(
            f'{args.config} is an ensemble: use mmaction-ext test-ensemble {args.config}'
        )
    run_config.drop_training(run.cfg)
    run.join(args.launcher)
    if args.checkpoint and args.best is not None:
        raise InputError(f'name a checkpoint or --best, not both: {args.checkpoint}')
    args.checkpoint = args.checkpoint or find_checkpoint(run, args.seed, args.best)
    if args.best is not None:
        run.predictions = BEST_FILE_NAME
    meta = work_dir.checkpoint_meta(args.checkpoint)
    run.identify(meta.get('seed') if args.seed is None else args.seed)
    trained_with = work_dir.trained_config_hash(args.checkpoint)
    _, trained = run.identify_weights(run.identity.seed)
    if trained_with not in trained.hashes and not run.overrides:
        run.overrides = dict(checkpoint_config_hash=trained_with)
    run.cfg.randomness = dict(seed=run.identity.seed)
    run.settle(args.work_dir, below='test')
    if args.dump:
        add_dump(run.cfg, args.dump)
    run.check(['test'])
    run.claim(os.path.dirname(args.checkpoint))
    run.begin()
    return run


def test(run: Run, checkpoint: str) -> None:
    """Load the checkpoint and evaluate it."""
    from mmaction_ext.engine.work_dir import load_for_test

    runner = run.runner()
    try:
        load_for_test(runner, checkpoint)
        runner.test()
    finally:
        runner.visualizer.close()
