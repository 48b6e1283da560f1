"""Checkpoint files from anywhere, read without running code that they may hold."""

import pickle
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from mmaction_ext.errors import InputError

_LISTED = 8


class DamagedFile(InputError):
    """A file that is not whole, or none of torch's."""


def load_plain(path: str | Path) -> Any:
    """What a file of ``torch.save`` holds, of old versions too; tensors come to the CPU.

    Args:
        path: The file: tensors, and what Python has of plain data.

    Raises:
        DamagedFile: If it is truncated, or was never written by torch.
        InputError: If it cannot be read, or asks for anything but tensors and plain data.
    """
    try:
        with open(path, 'rb') as file:
            return _unpickle(path, file)
    except OSError as error:
        raise InputError(f'{path} cannot be read: {error.strerror}') from error


def find_weights(content: Any, source: str | Path) -> dict[str, Tensor]:
    """The weights in what a file holds.

    Args:
        content: A dict with ``state_dict`` and anything beside it, or the state dict itself.
        source: The file, for messages.

    Returns:
        The weights by name, in the order of the file.

    Raises:
        InputError: If there is no state dict, or one with anything but tensors in it.
    """
    weights = content.get('state_dict', content) if isinstance(content, Mapping) else None
    if not isinstance(weights, Mapping) or not weights:
        raise InputError(f'{source} has no state_dict: it holds a {type(content).__name__}')
    others = [str(name) for name, value in weights.items()
              if not isinstance(name, str) or not isinstance(value, Tensor)]
    if others:
        raise InputError(f'{source} has no state_dict of tensors alone: it holds '
                         f'{", ".join(others[:_LISTED])}')
    return dict(weights)


def _unpickle(path: str | Path, file: BinaryIO) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            return torch.load(file, map_location='cpu', weights_only=True)
    except Exception as error:  # torch's reader has a different one for each kind of damage
        asked = re.search(r'GLOBAL (\S+)', str(error))
        if isinstance(error, pickle.UnpicklingError) and asked:
            raise InputError(f'{path} is refused: it asks for {asked.group(1)}, and only weights '
                             'and plain data are loaded') from error
        raise DamagedFile(f'{path} is damaged, or no checkpoint of torch '
                          f'({type(error).__name__})') from error
