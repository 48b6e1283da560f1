"""Make SynthMotion, or turn what a publisher ships into checked annotation files."""

from __future__ import annotations

import argparse
import sys
from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from mmaction_ext.datasets.processes import all_processors
from mmaction_ext.errors import InputError, check_at_least
from mmaction_ext.printable import clean

if TYPE_CHECKING:
    from mmaction_ext.datasets.publishers import Publication

NAME = 'prepare'
HELP = 'make SynthMotion, or checked lists of your own clips or a published data set'
INTERRUPTED = 'interrupted; run again to go on'
#: data set -> its help line, its media folder, and what is expected in the two folders; one that
#: is not here has videos, and its reader's module says the rest
PUBLISHED = {
    'sthv1': (
        'Something-Something V1',
        'rawframes',
        """
annotations  something-something-v1-{labels,train,validation}.csv
rawframes    <id>/00001.jpg ...: the publisher's folder 20bn-something-something-v1; or frames
             of other names (img_000001.jpg, 00000.png, ...), from 0 or 1 on, all folders alike
writes       train.txt, val.txt: "<id> <frames> <class>"; classes in alphabetical order""",
    ),
    'sthv2': (
        'Something-Something V2',
        'videos',
        """
annotations  something-something-v2-{labels,train,validation}.json, or labels/{labels,...}.json
videos       <id>.webm, also below 20bn-something-something-v2
writes       train.txt, val.txt; classes in the publisher's order, which is alphabetical""",
    ),
    'kinetics400': (
        'Kinetics-400',
        'videos',
        """
annotations  train.csv, val.csv, also with kinetics_, kinetics400_, kinetics-400_, k400_ before
videos       {train,val}, videos_{train,val}, {train,val}_256 or no such folder, in it a folder
             per class ("arm wrestling", "arm_wrestling") or none, in it
             <youtube id>_<start>_<end> or <youtube id>, any usual ending
writes       train.txt, val.txt; classes in alphabetical order""",
    ),
    'minikinetics200': (
        'Mini-Kinetics-200',
        'videos',
        """
annotations  train_ytid_list.txt, val_ytid_list.txt, and train.csv, val.csv of Kinetics-400;
             classes.txt, one name a line, if the order is to be another than alphabetical
videos       as for kinetics400, e.g. --videos data/kinetics400/videos
writes       train.txt, val.txt""",
    ),
    'ucf101': (
        'UCF101, three splits',
        'videos',
        """
annotations  classInd.txt, {train,test}list{01,02,03}.txt, also below ucfTrainTestlist
videos       <class>/v_<class>_g01_c01.avi, also below UCF-101, or all in one folder
writes       {train,test}_split{1,2,3}.txt; classes in the publisher's order, from 0""",
    ),
    'hmdb51': (
        'HMDB51, three splits',
        'videos',
        """
annotations  <class>_test_split{1,2,3}.txt, also below testTrainMulti_7030_splits
videos       <class>/<video>.avi, also below hmdb51_org, or all in one folder
writes       {train,test}_split{1,2,3}.txt; classes in alphabetical order""",
    ),
    'diving48': (
        'Diving-48, version 2',
        'videos',
        """
annotations  Diving48_V2_train.json, Diving48_V2_test.json, Diving48_vocab.json
videos       <video>.mp4, also below rgb
writes       train.txt, test.txt; classes in the publisher's order""",
    ),
    'gym99': (
        'FineGym, Gym99',
        'videos',
        """
annotations  gym99_train_element_v1.1.txt (or v1.0), gym99_val_element.txt, gym99_categories.txt
videos       clips cut to the element, <id>_E_<start>_<end>_A_<start>_<end>.mp4, also below
             subactions or actions
writes       train.txt, val.txt; classes in the publisher's order""",
    ),
    'gym288': (
        'FineGym, Gym288',
        'videos',
        """
annotations  gym288_train_element_v1.1.txt (or v1.0), gym288_val_element.txt,
             gym288_categories.txt
videos       clips cut to the element, as for gym99, e.g. --videos data/gym99/videos
writes       train.txt, val.txt; classes in the publisher's order""",
    ),
    'weizmann': (
        'Weizmann: nine folds',
        'videos',
        """
annotations  none: the names of the videos say it all
videos       <class>/<person>_<class>.avi, or without the folders; two of lena running, skipping
             and walking (lena_run1.avi, lena_run2.avi) or one (lena_run.avi)
fetch        by hand, the ten zip files of actions from
             https://www.wisdom.weizmann.ac.il/~vision/SpaceTimeActions.html
writes       {train,test}_<person>.txt: leave one person out; classes in alphabetical order
             {inner_train,inner_val}_<person>.txt: train_<person>.txt once more, divided to choose
             what is to be chosen; the two who follow in alphabetical order validate""",
    ),
    'ut_interaction': (
        'UT-Interaction, segmented: two sets of ten folds',
        'videos',
        """
annotations  none: the names of the videos say it all
videos       <index>_<sequence>_<class>.avi of one or both sets, in any folders or in none, also
             with set1_ or set2_ before
fetch        by hand, ut-interaction_segmented_set1.zip and ..._set2.zip from
             https://cvrc.ece.utexas.edu/SDHA2010/Human_Interaction.html
writes       {train,test}_seq{1,...,20}.txt: leave one sequence out, inside its set (1 to 10 are
             set 1); {train,test}_set1_to_set2.txt and the other way round; classes as published
             {inner_train,inner_val}_...: each training list once more, divided to choose what is
             to be chosen; the two sequences that follow, cyclically, validate""",
    ),
}

_LAYOUT = """
below --root:{layout}
also         classes.txt (names by id), report.json (counts and every fault, for machines),
             checked.jsonl (what was found sound: a killed run goes on where it was)
{delimiter}
An item that is missing, unreadable, damaged, empty or too short is broken. With any such item no
annotation file is written and the exit code is 1; --skip-broken writes without them and lists
them in <split>.skipped.txt.
{unseen}
exit codes: 0 written; 1 something is broken, nothing written; 2 bad input, one line says which
"""
UNSEEN = {
    'videos': """
The full check does not see damage that a decoder hides: all of it in VP8 and VP9 (.webm), which
have no checksums, unless it stops decoding; in other codecs changed bits that still mean
something, and what precedes the first key frame.
""",
    'rawframes': """
The full check does not see changed bits of a JPEG that still decode.

How frames are named stands in report.json (frames: filename_tmpl, start_index), from where
GuardedRawframeDataset, and so the configs, take it.
""",
}
DELIMITER = """
Lines are "<path below the media folder>TAB<class>": set delimiter='\\t' in VideoDataset.
"""


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command line."""
    from mmaction_ext.datasets.publishers import READERS, clips

    data_sets = parser.add_subparsers(metavar='DATASET', required=True)
    _add_synthmotion(
        data_sets.add_parser(
            'synthmotion',
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
            help='procedural clips whose classes differ by motion alone',
            description='Make SynthMotion, or whatever of it is missing or damaged.',
        )
    )
    _add_stress(
        data_sets.add_parser(
            'synthmotion-stress',
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
            help='SynthMotion made harder, one thing at a time',
            description='Make the data sets of configs/synthmotion/stress and hard, or whatever '
            'of them is missing or damaged.',
        )
    )
    _add_clips(
        data_sets.add_parser(
            'clips',
            aliases=['folders'],
            formatter_class=argparse.RawDescriptionHelpFormatter,
            help='clips of your own, a folder for each class or a CSV file',
            description='Split clips of your own and check them.\n\n' + (clips.__doc__ or ''),
        )
    )
    for name, read in READERS.items():
        own = name, 'videos', f'\n{sys.modules[read.__module__].__doc__ or ""}'
        title, media, layout = PUBLISHED.get(name, own)
        delimiter = DELIMITER if media == 'videos' else ''
        _add_published(
            name,
            media,
            data_sets.add_parser(
                name,
                formatter_class=argparse.RawDescriptionHelpFormatter,
                help=title,
                description=f'Check {title} and write its annotation files.',
                epilog=_LAYOUT.format(layout=layout, delimiter=delimiter, unseen=UNSEEN[media]),
            ),
        )


def run(args: Namespace) -> int:
    """Make or check the data set; returns the exit code."""
    from mmaction_ext.datasets.synthmotion.generate import GenerationError

    try:
        return args.make(args)
    except (ValueError, GenerationError) as error:
        raise InputError(str(error)) from error


def _add_synthmotion(parser: ArgumentParser) -> None:
    from mmaction_ext.datasets.synthmotion.scenes import PRESETS

    parser.add_argument(
        '--root', type=Path, default=Path('data/synthmotion'), help='folder of the data set'
    )
    parser.add_argument('--seed', type=int, default=0, help='seed of the data set')
    for split, number in (('train', 720), ('val', 120), ('test', 240)):
        parser.add_argument(
            f'--num-{split}',
            type=int,
            default=number,
            metavar='N',
            help=f'{split} base clips; each gives two files',
        )
    parser.add_argument('--preset', choices=PRESETS, default='default', help='kind of scenes')
    _add_making_options(parser)
    parser.add_argument('--overwrite', action='store_true', help='make everything again')
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        '--verify',
        action='store_true',
        help='only check what is there; exit code 1 if anything is wrong',
    )
    instead.add_argument(
        '--contact-sheet', type=Path, metavar='PNG', help='only draw six frames of each class'
    )
    parser.set_defaults(make=_run_synthmotion)


def _add_stress(parser: ArgumentParser) -> None:
    from mmaction_ext.datasets.synthmotion.stress import ROOT, SETS

    parser.add_argument(
        'names', nargs='*', metavar='NAME', help=f'some alone of {", ".join(SETS)}', default=()
    )
    parser.add_argument('--root', type=Path, default=Path(ROOT), help='folder of their folders')
    _add_making_options(parser)
    parser.add_argument('--overwrite', action='store_true', help='make everything again')
    parser.add_argument(
        '--verify',
        action='store_true',
        help='only check what is there; exit code 1 if anything is wrong',
    )
    parser.set_defaults(make=_run_stress)


def _add_making_options(parser: ArgumentParser) -> None:
    from mmaction_ext.datasets.synthmotion.generate import usable_processors

    parser.add_argument(
        '--workers',
        type=int,
        default=usable_processors(),
        metavar='N',
        help='number of processes',
    )
    parser.add_argument('--quiet', action='store_true', help='no progress bar')


def _add_published(name: str, media: str, parser: ArgumentParser) -> None:
    from mmaction_ext.datasets.publishers import UNANNOTATED

    root = Path('data', name)
    parser.add_argument(
        '--root', type=Path, default=root, help=f'folder of the data set (default: {root})'
    )
    if name not in UNANNOTATED:
        parser.add_argument(
            '--annotations',
            type=Path,
            metavar='DIR',
            help='what the publisher ships (default: annotations below --root)',
        )
    parser.add_argument(
        f'--{media}',
        dest='media',
        type=Path,
        metavar='DIR',
        help=f'what is looked at (default: {media} below --root)',
    )
    _add_check_options(parser)
    parser.set_defaults(make=_run_published, dataset=name, media_name=media)


def _add_clips(parser: ArgumentParser) -> None:
    root = Path('data/clips')
    add_clips_options(parser)
    parser.add_argument(
        '--folds',
        nargs='?',
        type=int,
        const=True,
        default=False,
        metavar='K',
        help='leave each group out in turn: lists train_<group>.txt and test_<group>.txt; with a '
        'number, so many folds of whole groups, or without groups of clips',
    )
    parser.add_argument(
        '--nested',
        action='store_true',
        help='divide what trains in a fold once more, to choose on: lists inner_train_<fold>.txt '
        'and inner_val_<fold>.txt',
    )
    parser.add_argument(
        '--root', type=Path, default=root, help=f'folder of the lists (default: {root})'
    )
    _add_check_options(parser)
    parser.set_defaults(make=_run_clips)


def add_clips_options(parser: ArgumentParser) -> None:
    """``--videos``, ``--csv``, ``--group`` and ``--split-seed``: clips of one's own."""
    parser.add_argument(
        '--videos',
        type=Path,
        metavar='FOLDER',
        help='clips of your own: a folder of videos for each class; with --csv, what its paths '
        'are below (default: the folder of the CSV file)',
    )
    parser.add_argument(
        '--csv',
        type=Path,
        metavar='FILE',
        help='list of clips of your own: columns path, label and, as you like, group, and split '
        '(train, val, test) or fold',
    )
    parser.add_argument(
        '--group',
        metavar='REGEX',
        help='pattern found in the path: clips in which its first group matches the same, '
        'as a person or a source video, stay in one split (default: each clip stands for itself)',
    )
    parser.add_argument(
        '--split-seed',
        type=int,
        default=0,
        metavar='N',
        help='another one splits the clips otherwise (default: 0)',
    )


def _add_check_options(parser: ArgumentParser) -> None:
    from mmaction_ext.datasets.preparation import CHECKS

    parser.add_argument(
        '--check',
        choices=CHECKS,
        default=CHECKS[0],
        help='decode every frame (full, default) or the first (quick)',
    )
    parser.add_argument(
        '--workers',
        type=int,
        default=all_processors(),
        metavar='N',
        help='number of processes (default: all processors)',
    )
    parser.add_argument(
        '--skip-broken',
        action='store_true',
        help='write the annotation files without what is broken',
    )
    parser.add_argument(
        '--recheck', action='store_true', help='look again at what an earlier run has looked at'
    )
    parser.add_argument('--quiet', action='store_true', help='no progress bar')


def _run_published(args: Namespace) -> int:
    from mmaction_ext.datasets.publishers import READERS, UNANNOTATED

    check_at_least('workers', args.workers, 1)
    media = args.media or args.root / args.media_name
    if args.dataset in UNANNOTATED:
        publication = READERS[args.dataset](media)
    else:
        publication = READERS[args.dataset](args.annotations or args.root / 'annotations')
    return _check_and_write(publication, media, args)


def _run_clips(args: Namespace) -> int:
    check_at_least('workers', args.workers, 1)
    publication, videos = read_clips(args, args.folds, args.nested)
    if not {'train', 'test'} & publication.splits.keys():
        folds = [name.removeprefix('test_') for name in publication.splits if name[:5] == 'test_']
        print(clean(f'folds = {tuple(folds)}'))
    for split, items in publication.splits.items():
        there = {item.label for item in items}
        lacking = [name for label, name in enumerate(publication.labels) if label not in there]
        if lacking:
            print(clean(f'note: {split} has no clip of {", ".join(lacking)}'), file=sys.stderr)
    return _check_and_write(publication, videos, args)


def read_clips(
    args: Namespace, folds: bool | int = False, nested: bool = False
) -> tuple[Publication, Path]:
    """Clips of one's own, split as the options of :func:`add_clips_options` say, and their folder.

    Raises:
        InputError: neither of ``--videos`` and ``--csv`` is given, or they cannot be split.
    """
    from mmaction_ext.datasets.publishers.class_folders import read_class_folders
    from mmaction_ext.datasets.publishers.clip_list import read_clip_list

    how = args.split_seed, args.group, folds, nested
    if args.csv:
        videos = args.videos or args.csv.parent
        return read_clip_list(args.csv, videos, *how), videos
    if not args.videos:
        raise InputError('clips of your own need --videos, a folder of classes, or --csv, a list')
    return read_class_folders(args.videos, *how), args.videos


def _check_and_write(publication: Publication, media: Path, args: Namespace) -> int:
    from mmaction_ext.datasets.preparation import prepare, summarise

    report = prepare(
        publication,
        args.root,
        media,
        check=args.check,
        workers=args.workers,
        skip_broken=args.skip_broken,
        recheck=args.recheck,
        progress=not args.quiet,
    )
    print(summarise(report))
    return 0 if report['written'] else 1


def _run_synthmotion(args: Namespace) -> int:
    from mmaction_ext.datasets.synthmotion.generate import generate
    from mmaction_ext.datasets.synthmotion.sheet import write_contact_sheet

    if args.contact_sheet:
        write_contact_sheet(args.contact_sheet, args.seed, args.preset)
        print(clean(f'{args.contact_sheet}: written'))
        return 0
    if args.verify:
        return _verify(args.root)
    generate(
        args.root,
        seed=args.seed,
        num_train=args.num_train,
        num_val=args.num_val,
        num_test=args.num_test,
        preset=args.preset,
        workers=args.workers,
        progress=not args.quiet,
        overwrite=args.overwrite,
    )
    print(clean(f'{args.root}: complete, {_summary(args.root)}'))
    return 0


def _run_stress(args: Namespace) -> int:
    from mmaction_ext.datasets.synthmotion.stress import SETS, generate_set

    faulty = 0
    for name in args.names or SETS:
        if args.verify:
            faulty |= _verify(args.root / name)
        else:
            root = generate_set(args.root, name, args.workers, not args.quiet, args.overwrite)
            print(clean(f'{root}: complete, {_summary(root)}'), flush=True)
    return faulty


def _verify(root: Path) -> int:
    from mmaction_ext.datasets.synthmotion.generate import verify

    faults = verify(root)
    for fault in faults:
        print(clean(fault), file=sys.stderr)
    state = f'{len(faults)} files missing or damaged' if faults else 'intact'
    print(clean(f'{root}: {state}, {_summary(root)}'))
    return 1 if faults else 0


def _summary(root: Path) -> str:
    from mmaction_ext.datasets.synthmotion.generate import read_manifest

    files = read_manifest(root)['files']
    sizes = [entry['size'] for name, entry in files.items() if name.endswith('.mp4')]
    return f'{len(sizes)} clips, {sum(sizes) / 1e6:.1f} MB'
