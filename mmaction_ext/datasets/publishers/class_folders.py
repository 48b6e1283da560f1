"""Clips of one's own in a folder for each class; see :mod:`.clips`."""

from pathlib import Path

from mmaction_ext.datasets.publishers.base import VIDEO_SUFFIXES, Publication
from mmaction_ext.datasets.publishers.clips import Clip, Splitting, split_clips
from mmaction_ext.errors import InputError
from mmaction_ext.printable import clean, some


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
    videos = _videos_by_class(folder)
    how = Splitting(seed, group or None, folds, nested)
    clips = [
        Clip(name, file, label, how.group_of(f'{name}/{file}'), str(folder / name))
        for label, (name, files) in enumerate(videos.items())
        for file in files
    ]
    publication = split_clips(clips, list(videos), folder, folder, how, is_grouped=bool(group))
    publication.notes += _left_out(folder, videos)
    return publication


def _videos_by_class(folder: Path) -> dict[str, list[str]]:
    if not folder.is_dir():
        raise InputError(f'{folder} is no folder: a folder of videos for each class is expected')
    found = {path.name: _videos(path) for path in _seen(folder) if path.is_dir()}
    videos = {name: files for name, files in found.items() if files}
    if len(videos) < 2:
        raise InputError(
            f'{folder} holds {len(videos)} folders with videos ({", ".join(VIDEO_SUFFIXES)}): one '
            'for each of two or more classes is expected'
        )
    return videos


def _videos(folder: Path) -> list[str]:
    return [path.name for path in _seen(folder) if path.suffix.lower() in VIDEO_SUFFIXES]


def _seen(folder: Path) -> list[Path]:
    """What lies in a folder and is not hidden, in alphabetical order."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith('.'))


def _left_out(folder: Path, videos: dict[str, list[str]]) -> list[str]:
    """A note on what lies there and is no clip, if anything does."""
    paths = [path for path in _seen(folder) if path.name not in videos]
    for name, files in videos.items():
        paths += [path for path in _seen(folder / name) if path.name not in files]
    names = [clean(f'{path.relative_to(folder)}{"/" if path.is_dir() else ""}') for path in paths]
    return [f'only videos right in the folder of their class count, not {some(names)}'] * bool(
        names
    )
