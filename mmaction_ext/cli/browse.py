"""Draw what a config's pipeline feeds the network: a contact sheet for a person to look at.

Each sample has a line with its number, its class and its file, and below it the frames as they
come out of the pipeline, views one after another, shrunk to 160 pixels where they are larger.
"""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmaction_ext.cli.config_options import add_fold_option, add_overrides_option
from mmaction_ext.errors import InputError
from mmaction_ext.printable import clean

NAME = 'browse'
HELP = "draw what a config's pipeline feeds the network"
EPILOG = """examples:
  mmaction-ext browse configs/synthmotion/dcf/table1_components/full.py -o sheet.png
  mmaction-ext browse CONFIG -o val.png --split val --num 20 --seed 3

exit codes: 0 drawn; 2 the config or the data cannot be used (one line says why)
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument('config', help='config file')
    add_fold_option(parser)
    parser.add_argument(
        '-o',
        '--output',
        required=True,
        type=Path,
        metavar='PNG',
        help='the picture; its folder must exist',
    )
    parser.add_argument(
        '--split',
        choices=['train', 'val', 'test'],
        default='train',
        help='whose pipeline and videos (default: train)',
    )
    parser.add_argument(
        '--num',
        type=int,
        default=8,
        metavar='N',
        help='number of samples, drawn at random (default: 8)',
    )
    parser.add_argument(
        '--seed',
        type=int,
        default=0,
        metavar='S',
        help='seed of the draw and of the pipeline (default: 0)',
    )
    parser.add_argument(
        '--classes',
        type=Path,
        metavar='FILE',
        help='class names, one a line (default: classes.txt beside the '
        'annotation file, if there is one)',
    )
    add_overrides_option(parser)


def run(args: Namespace) -> int:
    """Draw the sheet; returns the exit code."""
    from mmaction_ext import compat

    compat.apply()
    from mmaction_ext.datasets import browsing
    from mmaction_ext.files.writing import replace_files

    dataset, labels = build_dataset(args)
    indices = browsing.choose_samples(len(dataset), args.num, args.seed)
    sheet = browsing.draw_sheet(browsing.browse(dataset, indices, labels, args.seed))
    replace_files({args.output: browsing.png_bytes(sheet)})
    print(clean(f'{args.output}: {len(indices)} of {len(dataset)} {args.split} samples'))
    return 0


def build_dataset(args: Namespace) -> tuple[Any, Sequence[str]]:
    """The split's data set and the class names that belong to it.

    Raises:
        InputError: the config, the annotation list or the class list cannot be used.
    """
    from mmaction.registry import DATASETS
    from mmengine.registry import init_default_scope

    import mmaction_ext.register  # noqa: F401 (a config of a data set alone imports nothing)
    from mmaction_ext.datasets.flips import read_labels
    from mmaction_ext.engine import checks
    from mmaction_ext.engine.run_config import read_config
    from mmaction_ext.tracking.identity import check_fold

    cfg = read_config(args.config, args.cfg_options, args.fold or '')
    check_fold(args.config, cfg.to_dict(), 'name one with --fold')
    loader = cfg.get(f'{args.split}_dataloader')
    if not loader:
        raise InputError(f'{args.config} has no {args.split}_dataloader')
    checks.check_datasets(cfg, [args.split])
    init_default_scope(cfg.get('default_scope', 'mmaction'))
    dataset = DATASETS.build(loader.dataset)
    names = args.classes or Path(getattr(dataset, 'ann_file', '')).with_name('classes.txt')
    return dataset, read_labels(names) if args.classes or names.is_file() else ()
