"""Clips of one's own in a folder for each class; see :mod:`.clips`."""

from pathlib import Path

from mmaction_ext.datasets.publishers.base import VIDEO_SUFFIXES, Publication
from mmaction_ext.datasets.publishers.clips import Clip, Splitting, split_clips
from mmaction_ext.errors import InputError


def read_class_folders(
    folder: Path,
    seed: int = 0,
    group: str | None = None,
    folds: bool | int = False,
    nested: bool = False,
) -> Publication:
    """Find the videos of each class and split them.

    Args:
        folder: of the folders of the classes.
        seed, group, folds, nested: see :class:`.clips.Splitting`; the pattern is found in
            ``<class>/<file>``.

    Raises:
        InputError: there are fewer than two classes, a name does not match, or as
            :func:`.clips.split_clips`.
    """
    names = _class_names(folder)
    how = Splitting(seed, group or None, folds, nested)
    clips = [
        Clip(name, file, label, how.group_of(f'{name}/{file}'), str(folder / name))
        for label, name in enumerate(names)
        for file in _videos(folder / name)
    ]
    return split_clips(clips, names, folder, how, is_grouped=bool(group))


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
