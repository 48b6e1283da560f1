"""Diving-48, version 2 of its labels.

Files, as shipped by the SVCL lab at UC San Diego::

    Diving48_V2_train.json   [{"vid_name": "-mmq0PT-u8k_00155", "label": 0,
    Diving48_V2_test.json      "start_frame": 0, "end_frame": 48}, ...]
    Diving48_vocab.json      [["Back", "15som", "05Twis", "FREE"], ...], one list per class
    rgb/-mmq0PT-u8k_00155.mp4

``end_frame - start_frame`` is taken as the number of frames; whether the last one counts is not
documented, so one frame less is accepted.

Source of names and fields: the documentation of mmaction2 and of a project that prints the
first entries. Number of items: the data set's literature.
"""

from pathlib import Path

from mmaction_ext.datasets.publishers.base import (
    Item,
    Publication,
    Unlisted,
    class_id,
    fields_of,
    find_file,
    read_json,
)
from mmaction_ext.errors import InputError

NUM_ITEMS = {'train': 15027, 'test': 1970}
_FOLDERS = ('', 'rgb')


def read_diving48(annotations: Path) -> Publication:
    """Read the vocabulary and both lists; see the module.

    Raises:
        InputError: a file is missing, or an entry is not what it should be.
    """
    labels = _read_classes(find_file(annotations, 'Diving48_vocab.json'))
    splits, unlisted = {}, {}
    for split in ('train', 'test'):
        path = find_file(annotations, f'Diving48_V2_{split}.json')
        splits[split], unlisted[split] = _read_split(path, len(labels))
    return Publication(
        'diving48', labels, splits, num_classes=48, num_items=NUM_ITEMS, unlisted=unlisted
    )


def _read_classes(path: Path) -> list[str]:
    classes = read_json(path, list)
    for number, parts in enumerate(classes):
        if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
            raise InputError(f'{path}: class {number}: expected a list of words, got {parts!r}')
    return [' '.join(parts) for parts in classes]


def _read_split(path: Path, num_classes: int) -> tuple[list[Item], list[Unlisted]]:
    """Items, and the entries whose clip ends before it starts."""
    items, empty = [], []
    for number, entry in enumerate(read_json(path, list), 1):
        source = f'{path}: entry {number}'
        name, label, start, end = fields_of(
            entry, source, vid_name=str, label=int, start_frame=int, end_frame=int
        )
        class_id(str(label), source, num_classes)
        if end <= start:
            empty.append(Unlisted(name, source, f'the list has it from frame {start} to {end}'))
        else:
            items.append(Item(_FOLDERS, (name,), label, source, min_frames=end - start - 1))
    return items, empty
