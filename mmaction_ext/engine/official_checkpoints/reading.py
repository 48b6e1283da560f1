"""The weights of a file, and which file it is."""

import hashlib
from pathlib import Path

from torch import Tensor

from mmaction_ext.checkpoint_file import find_weights, load_plain


def read_weights(path: Path) -> tuple[dict[str, Tensor], str]:
    """Weights in a checkpoint file, and its sha256.

    Args:
        path: See :func:`find_weights` for what it holds.

    Returns:
        The weights by name in the order of the file, and the digest.

    Raises:
        InputError: As :func:`load_plain` and :func:`find_weights`.
    """
    return find_weights(load_plain(path), path), _sha256(path)


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
