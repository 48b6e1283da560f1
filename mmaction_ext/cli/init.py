"""Make the folder of a project: data, a baseline, a motion module of your own, and their table.

The data are SynthMotion, or with --videos or --csv your own clips. Its README
lists the commands that train the rows and write the table. With --from-wandb it is one table.yaml
for runs that are there already, whatever logged them.
"""

import json
import re
import shlex
import string
from argparse import ArgumentParser, Namespace
from pathlib import Path

from mmaction_ext.cli.from_wandb import add_from_wandb_options, init_from_wandb
from mmaction_ext.cli.prepare import add_clips_options, read_clips
from mmaction_ext.errors import InputError
from mmaction_ext.printable import clean

NAME = 'init'
HELP = 'make the folder of a project: data, configs, a module, a table'
EPILOG = """examples:
  mmaction-ext init my_project                             on SynthMotion: a table in five minutes
  mmaction-ext init my_project --videos clips              on clips/<class>/<file>, see prepare
  mmaction-ext init my_project --videos clips --group 'person\\d+'   no person in two splits
  mmaction-ext init my_project --csv clips.csv             on the clips of a list, see prepare
  mmaction-ext init results --from-wandb my-lab/project    a table of runs of a W&B project
  mmaction-ext init results --from-wandb wandb             of offline logs of any script
  mmaction-ext init results --from-wandb runs.csv --row-key method --seed-key seed

exit codes: 0 made; 2 bad input, or the folder has something in it already
"""
TEMPLATES = Path(__file__).parent / 'templates' / 'project'
#: a shorter SynthMotion, on which four short trainings take five minutes
SYNTHMOTION = 'mmaction-ext prepare synthmotion --num-train 240 --num-val 60 --num-test 120'
#: so many training clips are seen in all, in no more epochs
CLIPS_SEEN, MOST_EPOCHS, LEAST_EPOCHS = 4000, 50, 6


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument('folder', type=Path, metavar='FOLDER', help='folder to make')
    add_clips_options(parser)
    add_from_wandb_options(parser)


def run(args: Namespace) -> int:
    """Make the folder; returns the exit code."""
    if args.from_wandb is not None:
        path = init_from_wandb(args.folder, args.from_wandb, args.row_key, args.seed_key)
        print(clean(f'{path}: made; next: mmaction-ext tables {shlex.quote(str(path))} --print'))
        return 0
    if args.row_key or args.seed_key:
        raise InputError('--row-key and --seed-key are of --from-wandb')
    check_new(args.folder)
    if args.videos or args.csv:
        write_templates(args.folder, ['common', 'clips'], **clips_values(args))
    else:
        if args.group or args.split_seed:
            raise InputError('--group and --split-seed are of --videos and --csv')
        write_templates(args.folder, ['common', 'synthmotion'], data=SYNTHMOTION)
    print(clean(f'{args.folder}: made; its README.md lists what to run there'))
    return 0


def clips_values(args: Namespace) -> dict[str, str]:
    """What the templates of clips of one's own are filled in with.

    Raises:
        InputError: the clips cannot be split, or are in folds.
    """
    publication, folder = read_clips(args)
    lacking = {'train', 'val', 'test'} - publication.splits.keys()
    if lacking:
        raise InputError(f'{args.csv} has no split {min(lacking)}, which the project trains with')
    count = len(publication.splits['train'])
    epochs = max(LEAST_EPOCHS, min(MOST_EPOCHS, CLIPS_SEEN // count))
    videos = folder.resolve()
    words = ['mmaction-ext', 'prepare', 'clips', '--videos', str(videos)]
    words += ['--csv', str(args.csv.resolve())] if args.csv else []
    words += ['--group', args.group] if args.group else []
    words += ['--split-seed', str(args.split_seed)] if args.split_seed else []
    return dict(
        data=shlex.join(words),
        videos=repr(str(videos)),
        num_classes=str(len(publication.labels)),
        epochs=str(epochs),
        interval=str(max(1, epochs // LEAST_EPOCHS)),
    )


def check_new(folder: Path) -> None:
    """Refuse a folder in which something lies.

    Raises:
        InputError: it is one, or a file.
    """
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise InputError(f'{folder} exists already; nothing in it is overwritten')


def write_templates(folder: Path, parts: list[str], **values: str) -> None:
    """Fill in the files of some templates and write them.

    Args:
        folder: of the project; its name is that of the project.
        parts: folders of :data:`TEMPLATES`.
        values: what stands for ``$name`` in the templates, beside ``name``, ``title`` (quoted)
            and ``id``, a plain name.
    """
    name = folder.resolve().name
    plain = re.sub(r'[^A-Za-z0-9]+', '_', name).strip('_') or 'project'
    values = dict(values, name=name, title=json.dumps(name), id=f'{plain}_table1')
    for part in parts:
        for template in sorted((TEMPLATES / part).rglob('*.tmpl')):
            path = folder / template.relative_to(TEMPLATES / part).with_suffix('')
            path.parent.mkdir(parents=True, exist_ok=True)
            text = string.Template(template.read_text(encoding='utf-8')).substitute(values)
            path.write_text(text, encoding='utf-8')
