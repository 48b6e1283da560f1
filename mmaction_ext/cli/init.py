"""Make the folder of a project: data, a baseline, a motion module of your own, and their table.

The data are SynthMotion, or with --videos your own clips, one folder for each class. Its README
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
from mmaction_ext.errors import InputError
from mmaction_ext.printable import clean

NAME = 'init'
HELP = 'make the folder of a project: data, configs, a module, a table'
EPILOG = """examples:
  mmaction-ext init my_project                             on SynthMotion: a table in five minutes
  mmaction-ext init results --from-wandb my-lab/project    a table of runs of a W&B project
  mmaction-ext init results --from-wandb wandb             of offline logs of any script
  mmaction-ext init results --from-wandb runs.csv --row-key method --seed-key seed

exit codes: 0 made; 2 bad input, or the folder has something in it already
"""
TEMPLATES = Path(__file__).parent / 'templates' / 'project'
SYNTHMOTION = """\
    mmaction-ext prepare synthmotion --num-train 240 --num-val 60 --num-test 120"""


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument('folder', type=Path, metavar='FOLDER', help='folder to make')
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
    write_templates(args.folder, ['common', 'synthmotion'], data=SYNTHMOTION)
    print(clean(f'{args.folder}: made; its README.md lists what to run there'))
    return 0


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
