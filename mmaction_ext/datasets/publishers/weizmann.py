"""Weizmann: ten actions of nine persons.

Files, as shipped on the data set's page, one zip file of each class::

    bend/daria_bend.avi
    run/lena_run1.avi, run/lena_run2.avi    lena runs, skips and walks twice

There are no annotations, the names say it all; folders of classes may be there or not. One person
is left out in each fold. Copies with one clip each of lena running, skipping and walking
(``lena_run.avi``), 90 of 93, are read, too.

Source: Gorelick, Blank, Shechtman, Irani and Basri, "Actions as Space-Time Shapes", ICCV 2005 and
PAMI 2007; names as projects that read the zip files list them.
"""

import re
from pathlib import Path

from mmaction_ext.datasets.publishers.base import Item, Publication, find_videos
from mmaction_ext.datasets.publishers.folds import fold_lists
from mmaction_ext.errors import InputError

CLASSES = ('bend', 'jack', 'jump', 'pjump', 'run', 'side', 'skip', 'walk', 'wave1', 'wave2')
PERSONS = ('daria', 'denis', 'eli', 'ido', 'ira', 'lena', 'lyova', 'moshe', 'shahar')
#: of whom and what there are two clips
TWICE = frozenset({('lena', 'run'), ('lena', 'skip'), ('lena', 'walk')})
NUM_ITEMS = {'test_lena': 13}
_NAME = re.compile(rf'({"|".join(PERSONS)})_({"|".join(CLASSES)})([12]?)')


def read_weizmann(videos: Path) -> Publication:
    """Find the videos and divide them by person; see the module.

    Raises:
        InputError: there are none, or one has another name, lies in the folder of another class,
            or is there twice.
    """
    found = _find(videos)
    groups: dict[str, list[Item]] = {}
    for person in PERSONS:
        groups[person] = []
        for label, name in enumerate(CLASSES):
            files = found.get((person, name), {})
            for take in _takes((person, name), files):
                folder, file = files.get(take, (name, f'{person}_{name}{take}.avi'))
                groups[person].append(Item((folder,), (file,), label, str(videos)))
    splits: dict[str, list[Item]] = {}
    for person in PERSONS:
        splits |= fold_lists(person, groups, [person])
    return Publication('weizmann', list(CLASSES), splits, num_items=NUM_ITEMS, suffixes=())


def _takes(which: tuple[str, str], files: dict[str, tuple[str, str]]) -> tuple[str, ...]:
    """Ends of the names of all clips that a person and an action have."""
    return ('1', '2') if which in TWICE and '' not in files else ('',)


def _find(videos: Path) -> dict[tuple[str, str], dict[str, tuple[str, str]]]:
    """Folder and name of each video, by person and class, and by the end of its name."""
    found: dict[tuple[str, str], dict[str, tuple[str, str]]] = {}
    for folder, file in find_videos(videos, 'daria_bend.avi'):
        path = videos / folder / file
        match = _NAME.fullmatch(path.stem)
        if not match or (match[3] and match.group(1, 2) not in TWICE):
            raise InputError(
                f'{path}: expected <person>_<class>, as in daria_bend.avi, of the persons '
                f'{", ".join(PERSONS)} and the classes {", ".join(CLASSES)}'
            )
        person, name, take = match.groups()
        if path.parent.name in CLASSES and path.parent.name != name:
            raise InputError(
                f'{path} is of {name} by its name, of {path.parent.name} by its folder'
            )
        files = found.setdefault((person, name), {})
        for other, (there, earlier) in files.items():
            if take == other or '' in (take, other):
                raise InputError(f'{path} and {videos / there / earlier} are the same clip')
        files[take] = folder, file
    return found
