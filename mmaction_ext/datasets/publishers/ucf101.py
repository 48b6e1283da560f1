"""UCF101 and its three splits.

Files, as shipped by the University of Central Florida::

    ucfTrainTestlist/classInd.txt       "1 ApplyEyeMakeup", ids from 1
    ucfTrainTestlist/trainlist01.txt    "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1"
    ucfTrainTestlist/testlist01.txt     the same without the id
    UCF-101/ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi

Lines end as on Windows. Class and folder 37 are called ``HandstandPushups``, its videos
``v_HandStandPushups_...``; both spellings are found in either place.

Source: the preparation scripts of mmaction2 and notes in projects that read the data set.
Number of items: the lists' lengths as printed in the data set's literature.
"""

from pathlib import Path, PurePosixPath

from mmaction_ext.datasets.publishers.base import (
    Item,
    Publication,
    class_id,
    find_file,
    ids_of,
    named_class,
    read_lines,
)
from mmaction_ext.errors import InputError

SPLITS = (1, 2, 3)
NUM_ITEMS = {
    'train_split1': 9537,
    'test_split1': 3783,
    'train_split2': 9586,
    'test_split2': 3734,
    'train_split3': 9624,
    'test_split3': 3696,
}
_FOLDER = 'ucfTrainTestlist/'
_SPELLINGS = ('HandstandPushups', 'HandStandPushups')


def read_ucf101(annotations: Path) -> Publication:
    """Read the class list and the three pairs of lists; see the module.

    Raises:
        InputError: a file is missing, or a line is not what it should be.
    """
    ids = _read_classes(find_file(annotations, 'classInd.txt', f'{_FOLDER}classInd.txt'))
    splits = {}
    for number in SPLITS:
        for kind in ('train', 'test'):
            name = f'{kind}list{number:02d}.txt'
            path = find_file(annotations, name, _FOLDER + name)
            splits[f'{kind}_split{number}'] = _read_split(path, ids)
    return Publication(
        'ucf101',
        list(ids),
        splits,
        num_classes=101,
        num_items=NUM_ITEMS,
        suffixes=('.avi', '.mp4', '.mkv', '.webm'),
    )


def _read_classes(path: Path) -> dict[str, int]:
    labels: list[str] = []
    for source, line in read_lines(path):
        number, _, name = line.partition(' ')
        if not name or number != str(len(labels) + 1):
            raise InputError(f'{source}: expected "{len(labels) + 1} <class>", got {line!r}')
        labels.append(name.strip())
    return ids_of(labels, path)


def _read_split(path: Path, ids: dict[str, int]) -> list[Item]:
    items = []
    for source, line in read_lines(path):
        name, _, number = (part.strip() for part in line.partition('.avi'))
        folder, stem = PurePosixPath(name).parent.name, PurePosixPath(name).name
        if '.avi' not in line or not folder:
            raise InputError(f'{source}: expected "<class>/<video>.avi", got {line!r}')
        label = named_class(folder, ids, source)
        if number and class_id(number, source, len(ids), first=1) != label:
            raise InputError(f'{source}: {folder} is class {label + 1}, the line says {number}')
        items.append(Item(_folders(folder), _stems(stem), label, source))
    return items


def _folders(name: str) -> tuple[str, ...]:
    names = _SPELLINGS if name in _SPELLINGS else (name,)
    return (*names, *(f'UCF-101/{each}' for each in names), '')


def _stems(stem: str) -> tuple[str, ...]:
    for one, other in (_SPELLINGS, _SPELLINGS[::-1]):
        if f'_{one}_' in stem:
            return stem, stem.replace(one, other)
    return (stem,)
