"""Make or check the data sets that need no download."""

import argparse
import sys
from pathlib import Path
from typing import List, Optional

from mmaction_ext.datasets.synthmotion import generate as synthmotion
from mmaction_ext.datasets.synthmotion.scenes import PRESETS
from mmaction_ext.datasets.synthmotion.sheet import write_contact_sheet


def main(arguments: Optional[List[str]] = None) -> int:
    """Run the command line; returns the exit code (2: bad input, 1: faults found)."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except (ValueError, OSError, synthmotion.GenerationError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print('interrupted; run again to go on', file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    data_sets = parser.add_subparsers(metavar='DATASET', required=True)
    _add_synthmotion(data_sets.add_parser(
        'synthmotion', formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        help='procedural clips whose classes differ by motion alone',
        description='Make SynthMotion, or whatever of it is missing or damaged.'))
    return parser


def _add_synthmotion(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--root', type=Path, default=Path('data/synthmotion'),
                        help='folder of the data set')
    parser.add_argument('--seed', type=int, default=0, help='seed of the data set')
    for split, number in (('train', 720), ('val', 120), ('test', 240)):
        parser.add_argument(f'--num-{split}', type=int, default=number, metavar='N',
                            help=f'{split} base clips; each gives two files')
    parser.add_argument('--preset', choices=PRESETS, default='default', help='kind of scenes')
    parser.add_argument('--workers', type=int, default=synthmotion.usable_processors(),
                        metavar='N', help='number of processes')
    parser.add_argument('--overwrite', action='store_true', help='make everything again')
    parser.add_argument('--quiet', action='store_true', help='no progress bar')
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument('--verify', action='store_true',
                         help='only check what is there; exit code 1 if anything is wrong')
    instead.add_argument('--contact-sheet', type=Path, metavar='PNG',
                         help='only draw six frames of each class')
    parser.set_defaults(run=_run_synthmotion)


def _run_synthmotion(options: argparse.Namespace) -> int:
    if options.contact_sheet:
        write_contact_sheet(options.contact_sheet, options.seed, options.preset)
        print(f'{options.contact_sheet}: written')
        return 0
    if options.verify:
        return _verify(options.root)
    synthmotion.generate(
        options.root, seed=options.seed, num_train=options.num_train, num_val=options.num_val,
        num_test=options.num_test, preset=options.preset, workers=options.workers,
        progress=not options.quiet, overwrite=options.overwrite)
    print(f'{options.root}: complete, {_summary(options.root)}')
    return 0


def _verify(root: Path) -> int:
    faults = synthmotion.verify(root)
    for fault in faults:
        print(fault, file=sys.stderr)
    state = f'{len(faults)} files missing or damaged' if faults else 'intact'
    print(f'{root}: {state}, {_summary(root)}')
    return 1 if faults else 0


def _summary(root: Path) -> str:
    files = synthmotion.read_manifest(root)['files']
    sizes = [entry['size'] for name, entry in files.items() if name.endswith('.mp4')]
    return f'{len(sizes)} clips, {sum(sizes) / 1e6:.1f} MB'


if __name__ == '__main__':
    sys.exit(main())
