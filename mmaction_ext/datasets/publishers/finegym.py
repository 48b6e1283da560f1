"""FineGym: Gym99 and Gym288, clips of single elements.

Files, as shipped on the data set's site::

    gym99_train_element_v1.1.txt   "A0xAXXysHUo_E_002184_002237_A_0035_0036 12"
    gym99_val_element.txt          the same
    gym99_categories.txt           "Clabel: 0; set: 1; Glabel: 1; (VT) round-off, ..."

and the same for ``gym288``; version 1.0 of the training list is taken where 1.1 is missing. A
name says which second of the YouTube video the event starts and ends at (``E``) and between
which seconds of the event the element lies (``A``). The site ships no videos: the clips are cut
beforehand, one file per line with the line's name. Some classes of Gym288 share a name.

Source of names and lines: the site's addresses as quoted by several projects, and loaders that
read the files. Number of items: the data set's site, as quoted for Gym99.
"""

import re
from pathlib import Path

from mmaction_ext.datasets.publishers.base import (
    Item,
    Publication,
    class_id,
    find_file,
    read_lines,
)
from mmaction_ext.errors import InputError

NUM_ITEMS = {'gym99': {'train': 20484, 'val': 8521}, 'gym288': {}}
_CATEGORY = re.compile(r'Clabel:\s*(\d+)\s*;\s*set:\s*\d+\s*;\s*Glabel:\s*\d+\s*;\s*(.+)')
_ELEMENT = re.compile(r'(\S+_E_\d+_\d+_A_\d+_\d+)\s+(\d+)')
_FOLDERS = ('', 'subactions', 'actions')


def read_gym99(annotations: Path) -> Publication:
    """Read the categories and both lists of Gym99; see the module.

    Raises:
        InputError: a file is missing, or a line is not what it should be.
    """
    return _read('gym99', annotations)


def read_gym288(annotations: Path) -> Publication:
    """The same for Gym288."""
    return _read('gym288', annotations)


def _read(name: str, annotations: Path) -> Publication:
    labels = _read_classes(find_file(annotations, f'{name}_categories.txt'))
    train = [f'{name}_train_element{version}.txt' for version in ('_v1.1', '_v1.0', '')]
    files = {'train': train, 'val': [f'{name}_val_element.txt']}
    splits = {
        split: _read_split(find_file(annotations, *names), len(labels))
        for split, names in files.items()
    }
    return Publication(
        name, labels, splits, num_classes=int(name.removeprefix('gym')), num_items=NUM_ITEMS[name]
    )


def _read_classes(path: Path) -> list[str]:
    labels: list[str] = []
    for source, line in read_lines(path):
        match = _CATEGORY.fullmatch(line)
        if not match or int(match[1]) != len(labels):
            raise InputError(
                f'{source}: expected "Clabel: {len(labels)}; set: ...; Glabel: ...; '
                f'<name>", got {line!r}'
            )
        labels.append(match[2])
    return labels


def _read_split(path: Path, num_classes: int) -> list[Item]:
    items = []
    for source, line in read_lines(path):
        match = _ELEMENT.fullmatch(line)
        if not match:
            raise InputError(
                f'{source}: expected "<id>_E_<start>_<end>_A_<start>_<end> <class>", got {line!r}'
            )
        label = class_id(match[2], source, num_classes)
        items.append(Item(_FOLDERS, (match[1],), label, source))
    return items
