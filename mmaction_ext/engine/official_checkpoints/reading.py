"""Reading a checkpoint from anywhere without running code that it may hold."""

import hashlib
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


def read_weights(path: Path) -> tuple[dict[str, Tensor], str]:
    """Weights in a checkpoint file.

    Args:
        path: A file of ``torch.save``, of old versions too: a dict with ``state_dict`` and
            anything plain beside it, or the state dict itself.

    Returns:
        The weights by name in the order of the file, and the sha256 of the file.

    Raises:
        InputError: If it cannot be read, is damaged, holds more than weights and plain data,
            or has no state dict.
    """
    content = _load(path)
    weights = content.get('state_dict', content) if isinstance(content, Mapping) else None
    if not isinstance(weights, Mapping) or not weights:
        raise InputError(f'{path} has no state_dict: it holds a {type(content).__name__}')
    others = [str(name) for name, value in weights.items()
              if not isinstance(name, str) or not isinstance(value, Tensor)]
    if others:
        raise InputError(f'{path} has no state_dict of tensors alone: it holds '
                         f'{", ".join(others[:_LISTED])}')
    return dict(weights), _sha256(path)


def _load(path: Path) -> Any:
    try:
        with open(path, 'rb') as file:
            return _unpickle(path, file)
    except OSError as error:
        raise InputError(f'{path} cannot be read: {error.strerror}') from error


def _unpickle(path: Path, file: BinaryIO) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            return torch.load(file, map_location='cpu', weights_only=True)
    except Exception as error:  # torch's reader has a different one for each kind of damage
        asked = re.search(r'GLOBAL (\S+)', str(error))
        if isinstance(error, pickle.UnpicklingError) and asked:
            raise InputError(f'{path} is refused: it asks for {asked.group(1)}, and only weights '
                             'and plain data are loaded') from error
        raise InputError(f'{path} is damaged, or no checkpoint of torch '
                         f'({type(error).__name__})') from error


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
