"""Something-Something V1: semicolon-separated lists and folders of JPEG frames.

Files, as shipped by TwentyBN and later by Qualcomm::

    something-something-v1-labels.csv       one class a line, in no order
    something-something-v1-train.csv        "<id>;<class>" a line, no header
    something-something-v1-validation.csv   the same
    20bn-something-something-v1/<id>/00001.jpg, 00002.jpg, ...

Class ids are the places in the *alphabetical* list of names, as in the published code of TRN,
TSM and what descends from it; mmaction2's own lists keep the file's order instead, so its
checkpoints have other ids. The labels of the test set are not public.

Source of the file names and the lines: the preparation scripts of TRN, TSM and mmaction2, which
read them. Number of items: the data set's paper and site.
"""

from pathlib import Path

from mmaction_ext.datasets.publishers.base import (
    Item,
    Publication,
    find_file,
    ids_of,
    named_class,
    read_lines,
)
from mmaction_ext.errors import InputError

_PREFIX = 'something-something-v1-'
_FILES = {'train': ('train',), 'val': ('validation', 'val')}
NUM_ITEMS = {'train': 86017, 'val': 11522}


def read_sthv1(annotations: Path) -> Publication:
    """Read the lists; see the module.

    Raises:
        InputError: a file is missing, or a line is not what it should be.
    """
    path = find_file(annotations, f'{_PREFIX}labels.csv', 'labels.csv')
    labels = sorted(line for _, line in read_lines(path))
    ids = ids_of(labels, path)
    splits = {split: _read_split(find_file(annotations, *_names(split)), ids) for split in _FILES}
    return Publication('sthv1', labels, splits, frames=True, num_classes=174, num_items=NUM_ITEMS)


def _names(split: str) -> list[str]:
    return [f'{prefix}{name}.csv' for prefix in (_PREFIX, '') for name in _FILES[split]]


def _read_split(path: Path, ids: dict[str, int]) -> list[Item]:
    items = []
    for source, line in read_lines(path):
        number, semicolon, name = line.partition(';')
        if not semicolon or not number.strip():
            raise InputError(f'{source}: expected "<id>;<class>", got {line!r}')
        label = named_class(name.strip(), ids, source)
        items.append(Item(('',), (number.strip(),), label, source))
    return items
