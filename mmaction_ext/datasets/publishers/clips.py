"""Clips of one's own: a folder for each class, in it the videos; or a list of them.

Files::

    clips/kick/person1_a.mp4            clips.csv:  path,label,group
    clips/punch/person2_a.avi                       kick/person1_a.mp4,kick,person1

Of folders, classes are their names in alphabetical order; files of other kinds, and what lies
elsewhere, do not count, which a note says. A list is a CSV file with a header: path (below
--videos, else below the list's own folder), label and, where wanted, group, and split (train, val,
test) or fold. Classes are its labels in alphabetical order, numbers in their own.

Names and a seed alone decide what a clip is for, where the list does not: a fifth of each class is
for testing, a fifth for validation, the rest trains. Clips that show the same person, or were cut
from the same video, are no test of each other: a group, or a pattern found in their paths, says
which stay together.

Folds are tested one by one by what the others train, in lists ``train_<fold>.txt`` and
``test_<fold>.txt`` for a config with ``folds``: each group, a number of folds as equal as the
groups allow, the classes spread over them, or those of the list's column. ``--nested`` divides
what trains once more, ``inner_train_<fold>.txt`` and ``inner_val_<fold>.txt``, to choose on.
"""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil
from pathlib import Path

from mmaction_ext.datasets.publishers.base import Item, Publication
from mmaction_ext.datasets.publishers.folds import fold_lists
from mmaction_ext.errors import InputError

#: share of the clips that each of the other splits gets, in the order in which they are filled
SHARES = {'test': 0.2, 'val': 0.2}
TRAIN = 'train'
SPLITS = (TRAIN, 'val', 'test')


@dataclass(frozen=True)
class Clip:
    """A video.

    Attributes:
        folder: where it lies below that of the videos, with forward slashes.
        file: its name.
        label: class id.
        group: what it stays together with.
        source: what it is known from, ``file:line`` or a folder.
        part: its split or its fold, where that is said.
    """

    folder: str
    file: str
    label: int
    group: str
    source: str
    part: str = ''

    @property
    def path(self) -> str:
        """Its path below the folder of the videos."""
        return f'{self.folder}/{self.file}'.lstrip('/')


@dataclass(frozen=True)
class Splitting:
    """How clips are split.

    Attributes:
        seed: another one gives another split.
        group: regular expression that is found in a clip's path; what its first group matches,
            or all of it, is the same in clips that stay together. Each clip stands for itself
            without one.
        folds: leave one group out, each in turn (True), or so many folds, instead of splitting
            once.
        nested: divide what trains in each fold, too.
    """

    seed: int = 0
    group: str | None = None
    folds: bool | int = False
    nested: bool = False

    def group_of(self, path: str) -> str:
        """What a clip stays together with, by its path.

        Raises:
            InputError: the pattern is none, or it, or its first group, matches nothing.
        """
        if self.group is None:
            return path
        try:
            found = re.search(self.group, path)
        except re.error as error:
            raise InputError(
                f'--group {self.group!r} is no regular expression: {error}'
            ) from error
        together = found and (found[1] if found.re.groups else found[0])
        if not together:
            raise InputError(f'--group {self.group!r} matches nothing in {path}')
        return together


def split_clips(
    clips: Sequence[Clip],
    labels: list[str],
    videos: Path,
    source: Path,
    how: Splitting,
    *,
    is_grouped: bool,
    given: str = '',
) -> Publication:
    """Divide clips, no group on two sides.

    Args:
        clips: all of them.
        labels: names of the classes.
        videos: folder that they lie in.
        source: what names them, a list or a folder.
        how: what is asked for.
        is_grouped: whether groups are of more than one clip.
        given: what :attr:`Clip.part` is, ``'split'`` or ``'fold'``; empty for nothing.

    Raises:
        InputError: names differ in nothing that is seen, or cannot be written, two clips are one
            file, there is not enough to split, a group is on two sides, or a class lacks clips to
            train on.
    """
    _check_alike(f'{source}: classes', labels)
    _check_alike(f'{source}: groups', {clip.group for clip in clips} if is_grouped else ())
    _check_files(clips, videos)
    if how.nested and not (how.folds or given == 'fold'):
        raise InputError('--nested divides what trains in folds, and there are none')
    if given and (how.folds is not False or how.seed):
        raise InputError(
            f'the list has a column {given}: --folds and --split-seed would contradict it'
        )
    if given == 'split':
        splits = _given_splits(clips, source)
    elif given:
        splits = _folds(_by_part(clips, source), how.nested, source)
    elif how.folds is not False:
        splits = _folds(_fold_groups(clips, how, is_grouped), how.nested, source)
    elif is_grouped:
        splits = _split_groups(clips, how.seed)
    else:
        splits = _split_classes(clips, labels, how.seed)
    _check_training(splits, clips, labels, source)
    return Publication(
        'clips',
        labels,
        {
            split: [
                Item((clip.folder,), (clip.file,), clip.label, clip.source)
                for clip in splits[split]
            ]
            for split in sorted(splits, key=lambda name: name in SPLITS and SPLITS.index(name))
        },
        suffixes=(),
    )


def _check_alike(what: str, names: Iterable[str]) -> None:
    """Refuse names that a person takes for one: they differ in case, blanks or encoding alone."""
    seen: dict[str, str] = {}
    for name in sorted(names):
        plain = ''.join(unicodedata.normalize('NFKC', name).casefold().split())
        other = seen.setdefault(plain, name)
        if other != name:
            raise InputError(f'{what} {other!r} and {name!r} differ in case or blanks alone')


def _check_files(clips: Iterable[Clip], videos: Path) -> None:
    seen: dict[Path, Clip] = {}
    for clip in clips:
        if '\0' in clip.path or not _is_unicode(clip.path):
            raise InputError(
                f'{clip.source}: {clip.path!r} cannot be written into a list: rename it'
            )
        other = seen.setdefault((videos / clip.path).resolve(), clip)
        if other is not clip:
            raise InputError(
                f'{clip.source}: {clip.path} is the same file as {other.path} of {other.source}'
            )


def _is_unicode(name: str) -> bool:
    """Whether a name of a file is text: one in another encoding is read with surrogates."""
    return not any('\ud800' <= character <= '\udfff' for character in name)


def _check_training(
    splits: Mapping[str, Iterable[Clip]],
    clips: Iterable[Clip],
    labels: Sequence[str],
    source: Path,
) -> None:
    for split, trained in splits.items():
        lacking = set(range(len(labels))) - {clip.label for clip in trained}
        if lacking and split.removeprefix('inner_').startswith(TRAIN):
            groups = {clip.group for clip in clips if clip.label == min(lacking)}
            raise InputError(
                f'{source}: no clip of {labels[min(lacking)]} is left for training in {split}, of '
                f'{len(groups)} {"groups" if len(groups) > 1 else "group or single clip"} that '
                'the class has; more of them, other groups or another seed split otherwise'
            )


def _given_splits(clips: Iterable[Clip], source: Path) -> dict[str, list[Clip]]:
    splits: dict[str, list[Clip]] = {}
    for clip in clips:
        if clip.part not in SPLITS:
            raise InputError(f'{clip.source}: split {clip.part!r} is none of {", ".join(SPLITS)}')
        splits.setdefault(clip.part, []).append(clip)
    lacking = [name for name in (TRAIN, 'test') if name not in splits]
    if lacking:
        raise InputError(f'{source}: no clip is of split {lacking[0]}')
    _check_one_part(clips)
    return splits


def _by_part(clips: Iterable[Clip], source: Path) -> dict[str, list[Clip]]:
    """The folds that a list names; ``fold2`` and ``02`` are 2, as in names of configs."""
    clips = [replace(clip, part=re.sub(r'^(fold)?0*(?=[0-9]+$)', '', clip.part)) for clip in clips]
    parts: dict[str, list[Clip]] = {}
    for clip in clips:
        parts.setdefault(clip.part, []).append(clip)
    _check_alike(f'{source}: folds', parts)
    _check_one_part(clips)
    return dict(sorted(parts.items(), key=lambda part: natural(part[0])))


def _check_one_part(clips: Iterable[Clip]) -> None:
    seen: dict[str, Clip] = {}
    for clip in clips:
        other = seen.setdefault(clip.group, clip)
        if other.part != clip.part:
            raise InputError(
                f'{clip.source}: group {clip.group} is in {clip.part}, but in {other.part} in '
                f'{other.source}'
            )


def natural(name: str) -> tuple[bool, int, str]:
    """What names are sorted by: numbers first, as such."""
    is_number = name.isascii() and name.isdecimal()
    return not is_number, int(name) if is_number else 0, name


def _grouped(clips: Iterable[Clip]) -> dict[str, list[Clip]]:
    groups: dict[str, list[Clip]] = {}
    for clip in clips:
        groups.setdefault(clip.group, []).append(clip)
    return groups


def _rank(seed: int, name: str) -> bytes:
    """What decides the order of groups: their names and the seed."""
    return hashlib.sha256(f'{seed}/{name}'.encode()).digest()


def _folds(
    parts: Mapping[str, Sequence[Clip]], nested: bool, source: Path
) -> dict[str, list[Clip]]:
    """Each part in turn is tested, and the others train."""
    wrong = [name for name in parts if not re.fullmatch(r'[A-Za-z0-9][A-Za-z0-9_.-]*', name)]
    if len(parts) < 2 or wrong:
        named = f'{wrong[0]!r} is no plain name' if wrong else f'there are {len(parts)}'
        raise InputError(f'{source}: folds need two or more groups with plain names: {named}')
    splits: dict[str, list[Clip]] = {}
    for name in parts:
        splits |= fold_lists(name, parts, [name], nested)
    return splits


def _fold_groups(clips: Iterable[Clip], how: Splitting, is_grouped: bool) -> dict[str, list[Clip]]:
    if how.folds is True:
        return dict(sorted(_grouped(clips).items())) if is_grouped else {}
    groups = _grouped(clips)
    if not 2 <= how.folds <= len(groups):
        raise InputError(
            f'--folds {how.folds}: two or more, and no more than the {len(groups)} groups or '
            'single clips that there are'
        )
    return _dealt(groups, how.folds, how.seed)


def _dealt(groups: Mapping[str, list[Clip]], count: int, seed: int) -> dict[str, list[Clip]]:
    """So many folds, whose numbers of clips differ by no more than those of the largest group.

    Groups are dealt out, the largest first, each to a fold that has fewest clips, and of these to
    one that has fewest of its classes.
    """
    folds: list[list[Clip]] = [[] for _ in range(count)]
    classes: list[Counter[int]] = [Counter() for _ in folds]
    own = {name: Counter(clip.label for clip in members) for name, members in groups.items()}
    waiting = sorted(
        groups, key=lambda name: (-len(groups[name]), sorted(own[name]), _rank(seed, name))
    )
    for name in waiting:
        place = min(
            range(count),
            key=lambda fold: (
                len(folds[fold]),
                sum(classes[fold][label] * number for label, number in own[name].items()),
            ),
        )
        folds[place] += groups[name]
        classes[place] += own[name]
    return {str(number): members for number, members in enumerate(folds, 1)}


def _split_classes(
    clips: Iterable[Clip], labels: Iterable[str], seed: int
) -> dict[str, list[Clip]]:
    """Each class by itself, so that every split has clips of it."""
    splits: dict[str, list[Clip]] = {split: [] for split in SPLITS}
    for label, name in enumerate(labels):
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
    groups = _grouped(clips)
    if len(groups) <= len(SHARES):
        raise InputError(
            f'--group finds {len(groups)} groups ({", ".join(sorted(groups))}): one for each of '
            'training, validation and test is needed'
        )
    waiting = sorted(groups, key=lambda name: _rank(seed, name))
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
