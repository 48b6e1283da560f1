"""Classes that a horizontal flip turns into one another, found by their names.

"Pushing something from left to right", seen in a mirror, is "Pushing something from right to
left". Somebody who flips such a clip has to swap its label (mmaction2's ``flip_label_map``) or
to leave the clip alone (the published code of TSM's descendants). This module is torch-free.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from mmaction_ext.errors import InputError
from mmaction_ext.files.reading import read_regular

_SIDE = re.compile(r'\b(left|right)\b', re.IGNORECASE)
_OTHER = {'left': 'right', 'right': 'left'}

#: The classes of Something-Something V1 and V2 that name a side, by name. In the alphabetical
#: order of the 174 names, which is V2's official one and the one ``mmaction-ext prepare``
#: gives V1, their ids are 86, 87, 93, 94, 166 and 167.
SOMETHING_SIDES = (
    'Pulling something from left to right',
    'Pulling something from right to left',
    'Pushing something from left to right',
    'Pushing something from right to left',
    'Turning the camera left while filming something',
    'Turning the camera right while filming something',
)

#: :func:`flip_label_map` of the 174 names in alphabetical order. V1's own list is in another
#: order, in which the ids are {2: 4, 4: 2, 30: 41, 41: 30, 52: 66, 66: 52}.
SOMETHING_FLIP_LABELS = {86: 87, 87: 86, 93: 94, 94: 93, 166: 167, 167: 166}


def mirrored_name(name: str) -> str:
    """A class's name with left and right exchanged; "upright" is no side.

    >>> mirrored_name('Pulling something from left to right')
    'Pulling something from right to left'
    """
    return _SIDE.sub(lambda match: _exchange(match[0]), name)


def _exchange(word: str) -> str:
    other = _OTHER[word.lower()]
    return other.capitalize() if word[0].isupper() else other


def sided_classes(labels: Sequence[str]) -> frozenset[int]:
    """Ids of the classes whose name speaks of left or right: those not to be flipped.

    Args:
        labels: class names; a class's id is its place.
    """
    return frozenset(number for number, name in enumerate(labels) if mirrored_name(name) != name)


def flip_label_map(labels: Sequence[str]) -> dict[int, int]:
    """Which class each sided class becomes in a mirror.

    Args:
        labels: class names; a class's id is its place.

    Returns:
        Id to id for the classes that name a side, empty if none does.

    Raises:
        InputError: the mirror image of a class is no class, so that its label cannot be swapped.
    """
    ids = {name: number for number, name in enumerate(labels)}
    for number in sorted(sided_classes(labels)):
        if mirrored_name(labels[number]) not in ids:
            raise InputError(
                f'class {number}, {labels[number]!r}, has no mirror image among the '
                f'{len(ids)} classes: its label cannot be swapped, only skipped'
            )
    return {number: ids[mirrored_name(labels[number])] for number in sided_classes(labels)}


def read_labels(path: str | Path) -> list[str]:
    """Class names of a ``classes.txt``, one a line, in the order of their ids.

    Raises:
        InputError: the file cannot be read or holds an empty line.
    """
    try:
        names = read_regular(path).decode('utf-8').splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, 'strerror', None) or error
        raise InputError(f'class list {path} cannot be read: {reason}') from error
    for number, name in enumerate(names, 1):
        if not name.strip():
            raise InputError(f'{path}:{number}: a class has no name')
    return names
