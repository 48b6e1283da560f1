"""What all publishers' annotations come down to, and how their text files are read.

Nothing here looks at a video: :mod:`mmaction_ext.datasets.preparation` does. Torch-free.
"""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from mmaction_ext.errors import InputError

#: endings of video files, the publisher's own first where a publisher has one
VIDEO_SUFFIXES = (
    *('.mp4', '.avi', '.webm', '.mkv', '.mov'),
    *('.m4v', '.mpg', '.mpeg', '.wmv', '.flv'),
)


@dataclass(frozen=True)
class Item:
    """One sample of a split, as its publisher names it.

    Attributes:
        folders: folders below the media folder in which it may lie, the preferred one first;
            ``''`` is the media folder itself.
        stems: names it may have there, without ending, the publisher's own first.
        label: class id.
        source: ``file:line`` of the publisher's file.
        min_frames: frames that the publisher says are there; ``None`` where nothing is said.
    """

    folders: tuple[str, ...]
    stems: tuple[str, ...]
    label: int
    source: str
    min_frames: int | None = None


@dataclass(frozen=True)
class Unlisted:
    """What a publisher's list asks for, but the publisher does not describe: there is no clip."""

    name: str
    source: str
    reason: str


@dataclass
class Publication:
    """A data set as its annotations describe it.

    Attributes:
        name: of the data set, as on the command line.
        labels: class names in the order of their ids; two classes may share a name.
        splits: stem of the annotation file to be written -> items.
        frames: whether an item is a folder of numbered JPEG files (``True``) or a video.
        num_classes: classes of the whole data set.
        num_items: split -> items of the whole data set, where the publisher states it.
        unlisted: split -> :class:`Unlisted` entries.
        suffixes: endings of the files, the preferred one first.
        notes: what a person should know of what was found and does not count.
    """

    name: str
    labels: list[str]
    splits: dict[str, list[Item]]
    frames: bool = False
    num_classes: int | None = None
    num_items: dict[str, int] = field(default_factory=dict)
    unlisted: dict[str, list[Unlisted]] = field(default_factory=dict)
    suffixes: tuple[str, ...] = VIDEO_SUFFIXES
    notes: list[str] = field(default_factory=list)


def find_file(folder: str | Path, *names: str) -> Path:
    """The first of several names under which a file may lie in a folder.

    Raises:
        InputError: there is none; the message lists what was looked for.
    """
    for name in names:
        if (Path(folder) / name).is_file():
            return Path(folder) / name
    raise InputError(f'{folder} holds none of {", ".join(names)}')


def find_videos(folder: str | Path, expected: str) -> list[tuple[str, str]]:
    """The videos in a folder and up to two levels below it, where their names say all.

    Args:
        folder: where they lie; what is hidden does not count.
        expected: a name as the publisher gives it, for the message.

    Returns:
        Folder below ``folder``, with forward slashes, and name of each, in alphabetical order.

    Raises:
        InputError: there are none.
    """
    found = sorted(
        path.relative_to(folder)
        for depth in range(1, 4)
        for path in Path(folder).glob('/'.join(depth * '*'))
        if path.suffix.lower() in VIDEO_SUFFIXES
    )
    seen = [path for path in found if not any(part.startswith('.') for part in path.parts)]
    if not seen:
        raise InputError(f'{folder} holds no videos, as {expected}, also not below its folders')
    return [(path.parent.as_posix().removeprefix('.'), path.name) for path in seen]


def read_lines(path: str | Path) -> Iterator[tuple[str, str]]:
    """Lines of a text file that are not blank, without the blanks around them.

    Byte order marks and Windows line ends are dropped. Yields ``(source, line)`` with the
    source as ``file:line``.

    Raises:
        InputError: the file cannot be read, or holds nothing.
    """
    lines = [
        (f'{path}:{number}', line.strip())
        for number, line in enumerate(_read_text(path).splitlines(), 1)
        if line.strip()
    ]
    if not lines:
        raise InputError(f'{path} is empty')
    yield from lines


def read_header(path: str | Path) -> list[str]:
    """Names of the columns of a CSV file, without blanks around.

    Raises:
        InputError: the file cannot be read.
    """
    return [name.strip() for _, row in islice(_rows(path), 1) for name in row]


def read_table(
    path: str | Path, columns: tuple[str, ...]
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Rows of a CSV file with a header, of which the named columns are given.

    Yields ``(source, values)``, the values in the order of ``columns``, without blanks around.

    Raises:
        InputError: a column is missing in the header or stands there twice, a row has too few
            fields or more than the header, or quotes do not close on their line.
    """
    header = read_header(path)
    missing = [name for name in columns if name not in header]
    if missing:
        raise InputError(
            f'{path}:1: expected the columns {", ".join(columns)}, '
            f'{", ".join(missing)} missing, got {",".join(header)!r}'
        )
    twice = [name for name in columns if header.count(name) > 1]
    if twice:
        raise InputError(f'{path}:1: there are {header.count(twice[0])} columns {twice[0]}')
    places = [header.index(name) for name in columns]
    for source, row in islice(_rows(path), 1, None):
        if not any(value.strip() for value in row):
            continue
        if len(row) <= max(places) or any(value.strip() for value in row[len(header) :]):
            raise InputError(
                f'{source}: expected {len(header)} fields, got {len(row)}: {",".join(row)!r} '
                '(a field that has a comma stands in quotes)'
            )
        yield source, tuple(row[place].strip() for place in places)


def _rows(path: str | Path) -> Iterator[tuple[str, list[str]]]:
    """Rows of a CSV file, each on a line of its own, with their ``file:line``."""
    rows = csv.reader(io.StringIO(_read_text(path)), strict=True)
    number = 1
    try:
        for row in rows:
            if rows.line_num > number:
                raise InputError(f'{path}:{number}: a quote does not close on this line')
            yield f'{path}:{number}', row
            number = rows.line_num + 1
    except csv.Error as error:
        raise InputError(f'{path}:{number}: {error}') from error


def read_json(path: str | Path, kind: type) -> Any:
    """A JSON file whose outermost value is a ``list`` or a ``dict``.

    Raises:
        InputError: it cannot be read, does not parse (with line and column), or is another kind.
    """
    try:
        value = json.loads(_read_text(path))
    except json.JSONDecodeError as error:
        raise InputError(f'{path}:{error.lineno}: not valid JSON: {error.msg}') from error
    if not isinstance(value, kind):
        raise InputError(f'{path}: expected a JSON {kind.__name__}, got {type(value).__name__}')
    if not value:
        raise InputError(f'{path} is empty')
    return value


def fields_of(entry: Any, source: str, **kinds: type) -> tuple[Any, ...]:
    """Values of a JSON object by their names, each of the kind asked for.

    Raises:
        InputError: ``entry`` is no object, or lacks a name, or a value is of another kind.
    """
    for name, kind in kinds.items():
        value = entry.get(name) if isinstance(entry, dict) else None
        if not isinstance(value, kind) or isinstance(value, bool):
            raise InputError(
                f'{source}: expected {name!r} to be {kind.__name__}, got {value!r} in {entry!r}'
            )
    return tuple(entry[name] for name in kinds)


def class_id(text: str, source: str, num_classes: int, first: int = 0) -> int:
    """A class id written as digits, counted from 0 in what is returned.

    Args:
        text: the digits.
        source: ``file:line``, for the message.
        num_classes: number of classes.
        first: id that the publisher gives the first class.

    Raises:
        InputError: the text is no number, or no class has it.
    """
    last = first + num_classes - 1
    if not (text.isascii() and text.isdecimal() and first <= int(text) <= last):
        raise InputError(f'{source}: expected a class id from {first} to {last}, got {text!r}')
    return int(text) - first


def named_class(name: str, ids: dict[str, int], source: str) -> int:
    """Id of a class by its name.

    Raises:
        InputError: no class has that name.
    """
    if name not in ids:
        raise InputError(f'{source}: {name!r} is none of the {len(ids)} classes')
    return ids[name]


def ids_of(labels: list[str], path: str | Path) -> dict[str, int]:
    """Class name to id.

    Raises:
        InputError: two classes have one name, so that the name says nothing.
    """
    ids = {name: number for number, name in enumerate(labels)}
    if len(ids) != len(labels):
        twice = sorted(name for name in ids if labels.count(name) > 1)
        raise InputError(f'{path}: class {twice[0]!r} is listed more than once')
    return ids


def _read_text(path: str | Path) -> str:
    try:
        return Path(path).read_text(encoding='utf-8-sig')
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, 'strerror', None) or error
        raise InputError(f'{path} cannot be read: {reason}') from error
