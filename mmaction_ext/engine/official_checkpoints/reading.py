"""The weights of a file, and which file it is."""

import hashlib
from pathlib import Path

import torch
from torch import Tensor

from mmaction_ext.checkpoint_file import find_weights, load_plain
from mmaction_ext.errors import InputError


def read_weights(path: Path) -> tuple[dict[str, Tensor], str]:
    """Weights in a checkpoint file, and its sha256.

    Args:
        path: See :func:`find_weights` for what it holds.

    Returns:
        The weights by name in the order of the file, and the digest.

    Raises:
        InputError: As :func:`load_plain` and :func:`find_weights`; or a tensor cannot be a
            weight: it is sparse, empty, complex or integer, or holds NaN or infinity.
    """
    weights = find_weights(load_plain(path), path)
    for name, tensor in weights.items():
        fault = _fault(name, tensor)
        if fault:
            raise InputError(f'{path} holds no weights of a network: {name} {fault}')
    return weights, _sha256(path)


def _fault(name: str, tensor: Tensor) -> str:
    if tensor.layout != torch.strided:
        return f'is {tensor.layout}'
    if not tensor.numel():
        return f'is empty, of shape {tuple(tensor.shape)}'
    if not tensor.is_floating_point():
        counter = name.endswith('num_batches_tracked') and not tensor.is_complex()
        return '' if counter else f'is {tensor.dtype}'
    return '' if tensor.isfinite().all() else 'holds NaN or infinity'


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
