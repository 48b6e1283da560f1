"""Clips of one's own: a folder for each class, in it the videos.

Files::

    clips/kick/person1_a.mp4
    clips/punch/person2_a.avi

Classes are the folders in alphabetical order; files of other kinds, and what is hidden, do not
count. Names and a seed alone decide what a clip is for: a fifth is for testing, a fifth for
validation, the rest trains. Clips that show the same person, or were cut from the same video, are
no test of each other: a pattern says by which part of their names they stay together. Such groups
may be folds, too: each is tested by what the others train, in lists ``train_<group>.txt`` and
``test_<group>.txt`` for a config with ``folds``.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import ceil
from pathlib import Path

from mmaction_ext.datasets.publishers.base import VIDEO_SUFFIXES, Item, Publication
from mmaction_ext.errors import InputError

#: share of the clips that each of the other splits gets, in the order in which they are filled
SHARES = {'test': 0.2, 'val': 0.2}
TRAIN = 'train'


@dataclass(frozen=True)
class Clip:
    """A video.

    Attributes:
        folder, file: its class and its name.
        label: class id.
        group: what it stays together with.
    """

    folder: str
    file: str
    label: int
    group: str


def read_class_folders(
    folder: Path, seed: int = 0, group: str | None = None, folds: bool = False
) -> Publication:
    """Find the videos of each class and split them.

    Args:
        folder: of the folders of the classes.
        seed: another one gives another split.
        group: regular expression that is found in ``<class>/<file>``; what its first group
            matches, or all of it, is the same in clips that stay together. Each clip stands for
            itself without one.
        folds: leave one group out, each in turn, instead of splitting once.

    Raises:
        InputError: there are fewer than two classes, a name does not match, or there is not enough
            to split.
    """
    names = _class_names(folder)
    pattern = _compiled(group)
    clips = [
        Clip(name, file, label, _group(f'{name}/{file}', pattern))
        for label, name in enumerate(names)
        for file in _videos(folder / name)
    ]
    if folds:
        splits = _leave_one_out(clips, group)
    else:
        splits = _split_groups(clips, seed) if group else _split_classes(clips, names, seed)
    for split, trained in splits.items():
        lacking = set(range(len(names))) - {clip.label for clip in trained}
        if lacking and split.startswith(TRAIN):
            raise InputError(
                f'{folder}: no clip of {names[min(lacking)]} is left for training in {split}; '
                'another seed or other groups split otherwise'
            )
    return Publication(
        'clips',
        names,
        {
            split: [
                Item((clip.folder,), (clip.file,), clip.label, f'{folder / clip.folder}')
                for clip in splits[split]
            ]
            for split in (splits if folds else (TRAIN, 'val', 'test'))
        },
        suffixes=(),
    )


def _class_names(folder: Path) -> list[str]:
    if not folder.is_dir():
        raise InputError(f'{folder} is no folder: a folder of videos for each class is expected')
    names = sorted(path.name for path in folder.iterdir() if path.is_dir() and _videos(path))
    if len(names) < 2:
        raise InputError(
            f'{folder} holds {len(names)} folders with videos ({", ".join(VIDEO_SUFFIXES)}): one '
            'for each of two or more classes is expected'
        )
    return names


def _videos(folder: Path) -> list[str]:
    if folder.name.startswith('.'):
        return []
    return sorted(
        path.name
        for path in folder.iterdir()
        if path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith('.')
    )


def _compiled(group: str | None) -> re.Pattern[str] | None:
    try:
        return re.compile(group) if group else None
    except re.error as error:
        raise InputError(f'--group {group!r} is no regular expression: {error}') from error


def _group(path: str, pattern: re.Pattern[str] | None) -> str:
    if pattern is None:
        return path
    found = pattern.search(path)
    if not found:
        raise InputError(f'--group {pattern.pattern!r} matches nothing in {path}')
    return found[1] if pattern.groups else found[0]


def _leave_one_out(clips: Iterable[Clip], group: str | None) -> dict[str, list[Clip]]:
    """Each group in turn is tested, and the others train."""
    clips = list(clips)
    groups = sorted({clip.group for clip in clips}) if group else []
    wrong = [name for name in groups if not re.fullmatch(r'[A-Za-z0-9][A-Za-z0-9_.-]*', name)]
    if len(groups) < 2 or wrong:
        named = f'{wrong[0]!r} is no plain name' if wrong else f'--group finds {len(groups)}'
        raise InputError(f'folds need two or more groups with plain names: {named}')
    return {
        f'{split}_{name}': [clip for clip in clips if (clip.group == name) == (split == 'test')]
        for name in groups
        for split in (TRAIN, 'test')
    }


def _split_classes(
    clips: Iterable[Clip], names: Iterable[str], seed: int
) -> dict[str, list[Clip]]:
    """Each class by itself, so that every split has clips of it."""
    splits: dict[str, list[Clip]] = {split: [] for split in (TRAIN, *SHARES)}
    for label, name in enumerate(names):
        own = [clip for clip in clips if clip.label == label]
        if len(own) <= len(SHARES):
            raise InputError(
                f'class {name} has {len(own)} clips: one for each of training, validation and '
                'test is needed'
            )
        for split, found in _split_groups(own, seed).items():
            splits[split] += found
    return splits


def _split_groups(clips: Iterable[Clip], seed: int) -> dict[str, list[Clip]]:
    """Whole groups, in an order that their names and the seed decide."""
    groups: dict[str, list[Clip]] = {}
    for clip in clips:
        groups.setdefault(clip.group, []).append(clip)
    if len(groups) <= len(SHARES):
        raise InputError(
            f'--group finds {len(groups)} groups ({", ".join(sorted(groups))}): one for each of '
            'training, validation and test is needed'
        )
    waiting = sorted(groups, key=lambda name: hashlib.sha256(f'{seed}/{name}'.encode()).digest())
    return dict(_filled(waiting, groups))


def _filled(
    waiting: list[str], groups: Mapping[str, list[Clip]]
) -> Iterable[tuple[str, list[Clip]]]:
    total = sum(map(len, groups.values()))
    for left, (split, share) in zip(range(len(SHARES), 0, -1), SHARES.items(), strict=True):
        found: list[Clip] = []
        while len(found) < ceil(share * total) and len(waiting) > left:
            found += groups[waiting.pop(0)]
        yield split, found
    yield TRAIN, [clip for name in waiting for clip in groups[name]]
