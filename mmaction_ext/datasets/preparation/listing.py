"""Which of the names that an item may have is there. Each folder is read once."""

import os
from pathlib import Path

from mmaction_ext.datasets.publishers import Item


class Listing:
    """Contents of a media folder and of those below it, read when they are first asked for.

    Args:
        media: the folder.
        suffixes: endings of videos, the preferred one first; none where items are folders.
    """

    def __init__(self, media: str | Path, suffixes: tuple[str, ...] = ()) -> None:
        self._media, self._suffixes = Path(media), suffixes
        self._folders: dict[str, frozenset[str]] = {}
        self.unreadable: dict[str, str] = {}

    def find(self, item: Item) -> str | None:
        """Path of an item's file or folder below the media folder, with forward slashes."""
        for folder in item.folders:
            names = self._names(folder)
            for stem in item.stems:
                for suffix in self._suffixes or ('',):
                    if stem + suffix in names:
                        return f'{folder}/{stem}{suffix}'.lstrip('/')
        return None

    def why_not(self, item: Item) -> str:
        """Which of an item's folders could not be read, and why; ``''`` if all could."""
        reasons = [
            f'folder {self._media / folder}: {self.unreadable[folder]}'
            for folder in item.folders
            if folder in self.unreadable
        ]
        return '; '.join(reasons)

    def _names(self, folder: str) -> frozenset[str]:
        if folder not in self._folders:
            self._folders[folder] = self._read(folder)
        return self._folders[folder]

    def _read(self, folder: str) -> frozenset[str]:
        try:
            return frozenset(os.listdir(self._media / folder))
        except (FileNotFoundError, NotADirectoryError):
            return frozenset()
        except OSError as error:
            self.unreadable[folder] = error.strerror or str(error)
            return frozenset()
