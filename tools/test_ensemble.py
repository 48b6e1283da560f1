"""Average the predictions of an ensemble's members and log the result as a test run.

An ensemble is a config that names its members, with paths relative to its own folder, and says
how to evaluate:

    _base_ = './tsm_r50_8f.py'
    ensemble = dict(members=['tsm_r50_8f.py', 'tsm_r50_16f.py'])

Nothing is run: the class probabilities of every member are read from the predictions.npz that
tools/train.py and tools/test.py leave in work_dirs/<member>/seed<k>.
"""

import argparse
import sys
import time
from pathlib import Path

from mmaction_ext import compat
from mmaction_ext.errors import InputError
from mmaction_ext.printable import clean

EPILOG = """exit codes: 0 logged; 2 a member's predictions are missing, stale or of other samples
(one line says which, and the command that makes them)
"""


def parse_args(argv=None):
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('config', help='config file of the ensemble')
    parser.add_argument('--seed', type=int, default=0, help='seed of all members (default: 0)')
    parser.add_argument(
        '--work-dir', help='folder for the log (default: work_dirs/<path of the config>/seed<k>)'
    )
    return parser.parse_args(argv)


def measure(cfg, args):
    """The test row of the ensemble and the cost of all members together."""
    from mmaction_ext.analysis.config_complexity import count_config
    from mmaction_ext.engine import checks, ensemble

    members = ensemble.find_members(args.config, args.seed)
    predictions = [ensemble.member_predictions(*member) for member in members]
    row = ensemble.evaluate(cfg, predictions)
    complexity = count_config(args.config)
    checks.check_output_folder(cfg.work_dir)
    return row, dict(params=complexity.params, macs=complexity.macs)


def log(cfg, row, attempt):
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
        record_mirror(visualizer, attempt)
        visualizer.add_scalars(row, step=row['iter'])
    finally:
        visualizer.close()


def run(args):
    """Average, evaluate, log, and print the metrics."""
    from mmaction_ext.engine import ensemble, run_config, work_dir
    from mmaction_ext.tracking.writing.results import write_result

    compat.apply()
    cfg = run_config.read_config(args.config)
    identity, _ = run_config.identify(args.config, args.seed)
    cfg.work_dir = args.work_dir or identity.work_dir()
    identity = work_dir.as_begun(identity, cfg.work_dir)
    row, static = measure(cfg, args)
    lock = work_dir.claim_work_dir(cfg.work_dir, identity, not args.work_dir, 'test')
    facts = run_config.attach_tracking(cfg, identity, {}, static, 'test')
    attempt = run_config.begin_attempt(cfg, identity, facts, 'test', lock)
    with work_dir.explain_full_disk(cfg.work_dir, 'free some and test again'), attempt:
        log(cfg, row, attempt)
        write_result(cfg.work_dir, attempt.number, ensemble.result(cfg, attempt.run, row))
    for name, value in row.items():
        print(clean(f'{name}: {value}'))


def main(argv=None) -> int:
    """Run the tool."""
    try:
        run(parse_args(argv))
    except InputError as error:
        return error.exit()
    return 0


if __name__ == '__main__':
    sys.exit(main())
