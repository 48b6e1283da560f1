"""Make the folder of a project: data, a baseline, a motion module of your own, and their table.

The data are SynthMotion, or with --videos your own clips, one folder for each class. Its README
lists the commands that train the rows and write the table.
"""

import json
import re
import string
from argparse import ArgumentParser, Namespace
from pathlib import Path

from mmaction_ext.errors import InputError
from mmaction_ext.printable import clean

NAME = 'init'
HELP = 'make the folder of a project: data, configs, a module, a table'
EPILOG = """examples:
  mmaction-ext init my_project                             on SynthMotion: a table in five minutes

exit codes: 0 made; 2 bad input, or the folder has something in it already
"""
TEMPLATES = Path(__file__).parent / 'templates' / 'project'
SYNTHMOTION = """\
    mmaction-ext prepare synthmotion --num-train 240 --num-val 60 --num-test 120"""


def add_arguments(parser: ArgumentParser) -> None:
    """Declare the command line."""
    parser.add_argument('folder', type=Path, metavar='FOLDER', help='folder to make')


def run(args: Namespace) -> int:
    """Make the folder; returns the exit code."""
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
