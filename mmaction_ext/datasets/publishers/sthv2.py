"""Something-Something V2: JSON lists and WebM videos.

Files, as shipped by TwentyBN (long names) and later by Qualcomm (short names, in ``labels``)::

    something-something-v2-labels.json       {"<class>": "<id>", ...}, alphabetical
    something-something-v2-train.json        [{"id": "78687", "template": "...", ...}, ...]
    something-something-v2-validation.json   the same
    20bn-something-something-v2/<id>.webm

A template has its placeholders in square brackets ("Putting [something] onto [something]");
without the brackets it is the name of the class. Labels of the test set are not used: the
papers report the validation set.

Source of the file names and the fields: the preparation scripts of TSM and mmaction2 and the
loaders of several other projects, which read them. Number of items: the data set's site.
"""

from pathlib import Path

from mmaction_ext.datasets.publishers.base import (
    Item,
    Publication,
    class_id,
    fields_of,
    find_file,
    named_class,
    read_json,
)
from mmaction_ext.errors import InputError

_PREFIX = 'something-something-v2-'
_FOLDERS = ('', '20bn-something-something-v2')
_FILES = {'train': ('train',), 'val': ('validation', 'val')}
NUM_ITEMS = {'train': 168913, 'val': 24777}


def read_sthv2(annotations: Path) -> Publication:
    """Read the lists; see the module.

    Raises:
        InputError: a file is missing, or an entry is not what it should be.
    """
    ids = _read_classes(find_file(annotations, *_names('labels')))
    splits = {
        split: _read_split(find_file(annotations, *_names(*names)), ids)
        for split, names in _FILES.items()
    }
    return Publication(
        'sthv2',
        sorted(ids, key=ids.__getitem__),
        splits,
        num_classes=174,
        num_items=NUM_ITEMS,
        suffixes=('.webm', '.mp4', '.avi', '.mkv'),
    )


def class_of_template(template: str) -> str:
    """Name of the class that a template stands for.

    >>> class_of_template('Putting [something] onto [something]')
    'Putting something onto something'
    """
    return template.replace('[', '').replace(']', '').strip()


def _names(*names: str) -> list[str]:
    return [
        f'{folder}{prefix}{name}.json'
        for folder in ('', 'labels/')
        for prefix in (_PREFIX, '')
        for name in names
    ]


def _read_classes(path: Path) -> dict[str, int]:
    classes = read_json(path, dict)
    ids = {
        name.strip(): class_id(str(number), f'{path}: {name!r}', len(classes))
        for name, number in classes.items()
    }
    if len(set(ids.values())) != len(classes):
        raise InputError(f'{path}: two classes have the same id')
    return ids


def _read_split(path: Path, ids: dict[str, int]) -> list[Item]:
    items = []
    for number, entry in enumerate(read_json(path, list), 1):
        source = f'{path}: entry {number}'
        video, template = fields_of(entry, source, id=str, template=str)
        label = named_class(class_of_template(template), ids, source)
        items.append(Item(_FOLDERS, (video,), label, source))
    return items
