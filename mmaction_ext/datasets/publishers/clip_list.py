"""Clips of one's own in a CSV file of paths and labels; see :mod:`.clips`."""

import os
from pathlib import Path

from mmaction_ext.datasets.publishers.base import Publication, read_header, read_table
from mmaction_ext.datasets.publishers.clips import Clip, Splitting, natural, split_clips
from mmaction_ext.errors import InputError

COLUMNS = ('path', 'label')
#: columns that a list may have, and what they are for
GROUP, GIVEN = 'group', ('split', 'fold')


def read_clip_list(
    path: Path,
    videos: Path | None = None,
    seed: int = 0,
    group: str | None = None,
    folds: bool | int = False,
    nested: bool = False,
) -> Publication:
    """Read a list of videos, and split them unless it says how.

    Args:
        path: of the CSV file.
        videos: folder that the list's paths are below; the list's own when None.
        seed, group, folds, nested: see :class:`.clips.Splitting`; the pattern is found in the
            path as the list has it.

    Raises:
        InputError: the file cannot be read, lacks a column or a value, names a video outside the
            folder or fewer than two classes, or says one thing in two ways; or as
            :func:`.clips.split_clips`.
    """
    header = read_header(path)
    given = [name for name in GIVEN if name in header]
    if len(given) == len(GIVEN):
        raise InputError(f'{path}:1: columns {" and ".join(GIVEN)}: one says what a clip is for')
    if GROUP in header and group:
        raise InputError(f'{path}:1: a column {GROUP}, and --group {group!r}: one says it')
    columns = (*COLUMNS, *(name for name in (GROUP,) if name in header), *given)
    rows = [
        (source, dict(zip(columns, row, strict=True))) for source, row in read_table(path, columns)
    ]
    for source, values in rows:
        empty = [name for name in columns if not values[name]]
        if empty:
            raise InputError(f'{source}: {empty[0]} is empty')
    labels = sorted({values['label'] for _, values in rows}, key=natural)
    if len(labels) < 2:
        raise InputError(f'{path} has {len(labels)} classes: two or more are expected')
    ids = {name: number for number, name in enumerate(labels)}
    how = Splitting(seed, group or None, folds, nested)
    videos = path.parent if videos is None else videos
    clips = []
    for source, values in rows:
        folder, file = os.path.split(_below(values['path'], videos, source))
        together = values.get(GROUP) or how.group_of(values['path'])
        part = values[given[0]] if given else ''
        clips.append(Clip(folder, file, ids[values['label']], together, source, part))
    is_grouped = GROUP in header or bool(group)
    part_of = given[0] if given else ''
    return split_clips(clips, labels, videos, path, how, is_grouped=is_grouped, given=part_of)


def _below(path: str, videos: Path, source: str) -> str:
    """A path below the folder of the videos, without detours."""
    below = os.path.normpath(path)
    if os.path.isabs(below):
        below = os.path.relpath(below, os.path.abspath(videos))
    if below == '.' or below.split(os.sep)[0] == os.pardir:
        raise InputError(f'{source}: {path} does not lie below {videos}')
    return below.replace(os.sep, '/')
