"""Kinetics-400 and its subset Mini-Kinetics-200.

Kinetics-400, as shipped by DeepMind and by the Common Visual Data Foundation::

    train.csv, val.csv    header "label,youtube_id,time_start,time_end,split" and, in some
                          editions, "is_cc"; labels with blanks, sometimes in quotation marks

The videos are cut by whoever fetches them. Usual names are ``<id>_<start>_<end>`` with six
digits each, or the id alone; usual places are ``train/<class>/``, ``train/``, ``<class>/`` and
so on, the blanks of a class kept or turned into underscores. All are found. Class ids are the
places in the alphabetical list of the training set's names.

Mini-Kinetics-200 (Xie et al., "Rethinking Spatiotemporal Feature Learning") consists of two
lists, one YouTube id a line::

    train_ytid_list.txt, val_ytid_list.txt

which say nothing of classes: the two CSV files of Kinetics-400 must lie beside them. A class
list, ``classes.txt`` or ``class_list.txt``, one name a line, is used for the order of the
classes if there is one; else the order is alphabetical.

Source of the headers, names and places: the preparation scripts of mmaction2 and of the
foundation, and projects that convert the subset's lists. That the subset ships no class list of
its own is an assumption.
"""

from functools import cache
from pathlib import Path

from mmaction_ext.datasets.publishers.base import (
    Item,
    Publication,
    Unlisted,
    find_file,
    ids_of,
    named_class,
    read_lines,
    read_table,
)
from mmaction_ext.errors import InputError

COLUMNS = ('label', 'youtube_id', 'time_start', 'time_end')
_PREFIXES = ('', 'kinetics_', 'kinetics400_', 'kinetics-400_', 'k400_')
_FILES = {'train': ('train',), 'val': ('val', 'validate', 'validation')}
_FOLDERS = {
    'train': ('train', 'videos_train', 'train_256', ''),
    'val': ('val', 'videos_val', 'val_256', ''),
}


def read_kinetics400(annotations: Path) -> Publication:
    """Read the lists of Kinetics-400; see the module.

    Raises:
        InputError: a file is missing, or a line is not what it should be.
    """
    rows = {split: _read_rows(annotations, split) for split in _FILES}
    labels = sorted({label for _, (label, *_) in rows['train']})
    ids = {name: number for number, name in enumerate(labels)}
    splits = {
        split: [_item(source, row, ids, split) for source, row in rows[split]] for split in rows
    }
    return Publication('kinetics400', labels, splits, num_classes=400)


def read_minikinetics200(annotations: Path) -> Publication:
    """Read the lists of Mini-Kinetics-200 and of Kinetics-400; see the module.

    Raises:
        InputError: a file is missing, a line is not what it should be, or two lines of
            Kinetics-400 say different things of a video that the subset has.
    """
    wanted = {
        split: list(read_lines(find_file(annotations, f'{split}_ytid_list.txt')))
        for split in _FILES
    }
    rows = {
        split: _rows_of(annotations, split, {video for _, video in wanted[split]})
        for split in _FILES
    }
    ids = _classes(
        annotations,
        {rows['train'][video][0] for _, video in wanted['train'] if video in rows['train']},
    )
    splits = {
        split: [
            _item(source, rows[split][video], ids, split)
            for source, video in wanted[split]
            if video in rows[split]
        ]
        for split in _FILES
    }
    unlisted = {
        split: [
            Unlisted(video, source, f"no line of Kinetics-400's {split} list")
            for source, video in wanted[split]
            if video not in rows[split]
        ]
        for split in _FILES
    }
    return Publication('minikinetics200', list(ids), splits, num_classes=200, unlisted=unlisted)


def _read_rows(annotations: Path, split: str) -> list[tuple[str, tuple[str, ...]]]:
    names = [f'{prefix}{name}.csv' for prefix in _PREFIXES for name in _FILES[split]]
    path = find_file(annotations, *names)
    rows = [
        (source, (label.replace('"', ''), *rest))
        for source, (label, *rest) in read_table(path, COLUMNS)
    ]
    if not rows:
        raise InputError(f'{path} is empty')
    return rows


def _rows_of(annotations: Path, split: str, wanted: set[str]) -> dict[str, tuple[str, ...]]:
    """Row by id, of the ids wanted; the same row may be there twice."""
    found: dict[str, tuple[str, tuple[str, ...]]] = {}
    for source, row in _read_rows(annotations, split):
        if row[1] in wanted:
            first, earlier = found.setdefault(row[1], (source, row))
            if row != earlier:
                raise InputError(
                    f'{source}: {row[1]} is {_said(row)}, but {_said(earlier)} in '
                    f'{first}: which one the subset has cannot be known'
                )
    return {video: row for video, (_, row) in found.items()}


def _said(row: tuple[str, ...]) -> str:
    label, _, start, end = row
    return f'{label!r} from {start} to {end}'


def _classes(annotations: Path, occurring: set[str]) -> dict[str, int]:
    """Name to id; in the order of the class list if there is one."""
    for name in ('classes.txt', 'class_list.txt'):
        path = annotations / name
        if path.is_file():
            ids = ids_of([line for _, line in read_lines(path)], path)
            unknown = sorted(occurring - ids.keys())
            if unknown:
                raise InputError(f'{path}: {unknown[0]!r} is missing, of which there are videos')
            return ids
    return {name: number for number, name in enumerate(sorted(occurring))}


def _item(source: str, row: tuple[str, ...], ids: dict[str, int], split: str) -> Item:
    label, video, start, end = row
    try:
        times = f'{int(float(start)):06d}_{int(float(end)):06d}'
    except ValueError as error:
        raise InputError(f'{source}: expected seconds, got {start!r} and {end!r}') from error
    number = named_class(label, ids, source)
    return Item(_folders(split, label), (f'{video}_{times}', video), number, source)


@cache  # shared by the items of a class: there may be a quarter of a million
def _folders(split: str, label: str) -> tuple[str, ...]:
    return tuple(
        f'{folder}/{below}'.strip('/')
        for folder in _FOLDERS[split]
        for below in (label, label.replace(' ', '_'), '')
    )
