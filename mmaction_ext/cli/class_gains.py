r"""Draw which classes a network gains over another, from the tests of their runs (KPSEM Figure 7).

    cd configs/kpsem/table1_mini_kinetics
    mmaction-ext class-gains mfnet.py mf_kpsem.py --runs ../../../work_dirs \\
        --classes ../../../data/minikinetics200/classes.txt -o class_gains.png

Both configs need ClassAccuracyMetric in their test_evaluator. Accuracies are means over the seeds;
only finished runs of the configs as they stand in the tree count.
"""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from mmaction_ext.cli.common import add_source_option
from mmaction_ext.errors import InputError
from mmaction_ext.printable import clean
from mmaction_ext.tables.seed_runs import RowConfig

NAME = 'class-gains'
HELP = 'draw which classes a network gains over another'
EPILOG = 'exit codes: 0 drawn; 2 it could not be, the reason is on standard error'


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument('baseline', type=Path, help='config of the baseline')
    parser.add_argument('config', type=Path, help='config of the other network')
    parser.add_argument(
        '--runs',
        type=Path,
        default=Path('work_dirs'),
        metavar='FOLDER',
        help='where the runs lie (default: work_dirs)',
    )
    add_source_option(parser)
    parser.add_argument(
        '--seeds',
        type=int,
        nargs='+',
        default=[0, 1],
        metavar='N',
        help='seeds to take the mean over (default: 0 1)',
    )
    parser.add_argument(
        '--classes',
        type=Path,
        metavar='FILE',
        help='class names, one a line, in the order of their ids',
    )
    parser.add_argument(
        '--margin',
        type=float,
        default=6.0,
        metavar='POINTS',
        help='least gain in points of accuracy (default: 6, as in the paper)',
    )
    parser.add_argument(
        '-o',
        '--out',
        type=Path,
        default=Path('class_gains.png'),
        metavar='FILE',
        help='figure to write: .png, .pdf or .svg (default: class_gains.png)',
    )


def run(args: Namespace) -> int:
    """Draw the figure and say what is in it; returns the exit code."""
    print('\n'.join(map(clean, draw(args))))
    return 0


def row_config(path: Path) -> RowConfig:
    """The config of a row as it stands in the tree."""
    from mmaction_ext.tables.seed_runs import RowConfig
    from mmaction_ext.tracking.identity import config_name, load_config, training_length

    try:
        resolved = load_config(path)
    except ValueError as error:
        raise InputError(' '.join(str(error).split())) from error
    return RowConfig.of(config_name(path), resolved, schedule=training_length(resolved))


def draw(args: Namespace) -> list[str]:
    """Draw the figure; returns what to print.

    Raises:
        InputError: a config, a run or the list of classes cannot be used.
    """
    from mmaction_ext.analysis.class_gains import class_accuracies, class_gains, draw_class_gains
    from mmaction_ext.datasets.flips import read_labels
    from mmaction_ext.tracking.reading.find import find_runs

    configs = [row_config(path) for path in (args.baseline, args.config)]
    names = read_labels(args.classes) if args.classes else ()
    records = find_runs(args.runs, source=args.source)
    before, after = (class_accuracies(records, config, args.seeds) for config in configs)
    gains = class_gains(before, after, names, args.margin / 100)
    draw_class_gains(gains, tuple(path.stem for path in (args.baseline, args.config)), args.out)
    return [
        f'{each.name}: {100 * each.before:.1f} -> {100 * each.after:.1f} ({100 * each.gain:+.1f})'
        for each in gains
    ] + [f'figure: {args.out}']
