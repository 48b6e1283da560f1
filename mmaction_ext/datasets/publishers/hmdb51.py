"""HMDB51 and its three splits.

Files, as shipped by the Serre lab::

    testTrainMulti_7030_splits/brush_hair_test_split1.txt   one file per class and split
    hmdb51_org/brush_hair/April_09_brush_hair_u_nm_np1_ba_goo_0.avi

A line is "<video>.avi <flag> " with a blank at the end; flag 1 is training, 2 is test, and 0
means that the video is in neither. Names hold brackets, '#', '&' and the like; blanks are read
too, since the flag stands last. Class ids are the places in the alphabetical list of classes.

Source: the preparation scripts of mmaction2 and loaders that read the files. Number of items:
70 training and 30 test videos for each of 51 classes, by the data set's paper.
"""

from collections.abc import Iterator
from pathlib import Path

from mmaction_ext.datasets.publishers.base import Item, Publication, read_lines
from mmaction_ext.errors import InputError

SPLITS = (1, 2, 3)
KINDS = {'1': 'train', '2': 'test'}
NUM_ITEMS = {
    f'{kind}_split{number}': size
    for number in SPLITS
    for kind, size in (('train', 51 * 70), ('test', 51 * 30))
}
_FOLDERS = ('', 'testTrainMulti_7030_splits', 'test_train_splits')


def read_hmdb51(annotations: Path) -> Publication:
    """Read the files of all classes; see the module.

    Raises:
        InputError: there are none, a class lacks a split, or a line is not what it should be.
    """
    folder = _find_folder(annotations)
    labels = sorted(
        {path.name.rpartition('_test_split')[0] for path in folder.glob('*_test_split[123].txt')}
    )
    splits: dict[str, list[Item]] = {
        f'{kind}_split{number}': [] for number in SPLITS for kind in KINDS.values()
    }
    for number in SPLITS:
        for label, name in enumerate(labels):
            for kind, item in _read_class(folder / f'{name}_test_split{number}.txt', label, name):
                splits[f'{kind}_split{number}'].append(item)
    return Publication(
        'hmdb51',
        labels,
        splits,
        num_classes=51,
        num_items=NUM_ITEMS,
        suffixes=('.avi', '.mp4', '.mkv', '.webm'),
    )


def _find_folder(annotations: Path) -> Path:
    for name in _FOLDERS:
        if any((annotations / name).glob('*_test_split1.txt')):
            return annotations / name
    raise InputError(
        f'{annotations} holds no <class>_test_split1.txt, also not below '
        f'{" or ".join(filter(None, _FOLDERS))}'
    )


def _read_class(path: Path, label: int, name: str) -> Iterator[tuple[str, Item]]:
    """Yield ``('train' or 'test', item)`` for the videos in use."""
    for source, line in read_lines(path):
        video, _, flag = line.rpartition(' ')
        if flag not in ('0', '1', '2') or not video.strip().endswith('.avi'):
            raise InputError(f'{source}: expected "<video>.avi" and 0, 1 or 2, got {line!r}')
        if flag in KINDS:
            stem = video.strip().removesuffix('.avi')
            yield KINDS[flag], Item((name, f'hmdb51_org/{name}', ''), (stem,), label, source)
