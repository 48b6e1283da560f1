"""Checkpoint files from anywhere, read without running code that they may hold."""

import os
import pickle
import re
import warnings
import zipfile
from collections.abc import Callable, Mapping
from http.client import HTTPException
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urlparse

import torch
from torch import Tensor

from mmaction_ext.errors import InputError, last_line

_LISTED = 8


class DamagedFile(InputError):
    """A file that is not whole, or none of torch's."""


def load_plain(path: str | Path | BinaryIO, map_location: Any = 'cpu') -> Any:
    """What a file of ``torch.save`` holds, of old versions too.

    Args:
        path: The file, or one that is open: tensors, and what Python has of plain data.
        map_location: Where tensors come to, as ``torch.load`` takes it.

    Raises:
        DamagedFile: If it is truncated, or was never written by torch.
        InputError: If it cannot be read, or asks for anything but tensors and plain data.
    """
    if not isinstance(path, (str, Path)):
        return _safely('what was fetched', torch.load, path, map_location=map_location)
    try:
        with open(path, 'rb') as file:
            return _safely(path, torch.load, file, map_location=map_location)
    except OSError as error:
        raise InputError(f'{path} cannot be read: {error.strerror}') from error


def check_whole(path: str | os.PathLike[str]) -> None:
    """Compare a file of ``torch.save`` with the checksums in it, which ``torch.load`` does not.

    It is a zip file, whose records each bear a CRC-32 (``torch.serialization``'s
    ``set_crc32_options``); files of before torch 1.6 have none, and pass.

    Raises:
        DamagedFile: If they differ.
        InputError: If it cannot be read.
    """
    try:
        with open(path, 'rb') as file:
            if file.read(4) != b'PK\3\4':
                return
            with zipfile.ZipFile(file) as records:
                bad = records.testzip()
    except OSError as error:
        raise InputError(f'{path} cannot be read: {error.strerror}') from error
    except Exception as error:  # each kind of damage has its own
        raise DamagedFile(f'{path} is damaged ({type(error).__name__})') from error
    if bad is not None:
        raise DamagedFile(f'{path} is damaged ({bad})')


def load_address(
    url: str, model_dir: str | None = None, map_location: Any = 'cpu', progress: bool = True
) -> Any:
    """As :func:`load_plain`, of a file at an address of the web.

    Args:
        url: The address.
        model_dir: Where the file is kept; where torch keeps such files if ``None``. One that is
            there already is not fetched again.
        map_location: See :func:`load_plain`.
        progress: Whether to show how much has come.

    Raises:
        DamagedFile, InputError: As :func:`load_plain`; also if the file cannot be fetched.
    """
    folder = model_dir or os.path.join(torch.hub.get_dir(), 'checkpoints')
    path = os.path.join(folder, os.path.basename(urlparse(url).path))
    if not os.path.exists(path):
        try:
            os.makedirs(folder, exist_ok=True)
            torch.hub.download_url_to_file(url, path, progress=progress)
        except (OSError, HTTPException) as error:
            raise InputError(f'{url} cannot be fetched: {last_line(error)}') from error
    return _safely(
        f'{url} (kept as {path})',
        torch.hub.load_state_dict_from_url,
        url,
        model_dir=folder,
        map_location=map_location,
    )


def find_weights(content: Any, source: str | Path) -> dict[str, Tensor]:
    """The weights in what a file holds.

    Args:
        content: A dict with ``state_dict``, or PySlowFast's ``model_state``, and anything beside
            it, or the state dict itself.
        source: The file, for messages.

    Returns:
        The weights by name, in the order of the file.

    Raises:
        InputError: If there is no state dict, or one with anything but tensors in it.
    """
    weights = None
    if isinstance(content, Mapping):
        weights = content.get('state_dict', content.get('model_state', content))
    if not isinstance(weights, Mapping) or not weights:
        raise InputError(f'{source} has no state_dict: it holds a {type(content).__name__}')
    others = [
        str(name)
        for name, value in weights.items()
        if not isinstance(name, str) or not isinstance(value, Tensor)
    ]
    if others:
        raise InputError(
            f'{source} has no state_dict of tensors alone: it holds {", ".join(others[:_LISTED])}'
        )
    return dict(weights)


def _safely(source: str | Path, load: Callable[..., Any], *args: Any, **how: Any) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            return load(*args, weights_only=True, **how)
    except Exception as error:  # torch's reader has a different one for each kind of damage
        asked = re.search(r'GLOBAL (\S+)', str(error))
        if isinstance(error, pickle.UnpicklingError) and asked:
            raise InputError(
                f'{source} is refused: it asks for {asked.group(1)}, and only '
                'weights and plain data are loaded'
            ) from error
        raise DamagedFile(
            f'{source} is damaged, or no checkpoint of torch ({type(error).__name__})'
        ) from error
