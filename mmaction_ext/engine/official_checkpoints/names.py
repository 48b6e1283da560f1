"""Names of weights in the released code and here."""

import re
from collections.abc import Mapping, Sequence

from torch import Tensor

from mmaction_ext.engine.official_checkpoints.kinds import KINDS
from mmaction_ext.errors import InputError

#: Last part of the names that torch before 0.4.1 did not write.
COUNTER = 'num_batches_tracked'

_BN = ('weight', 'bias', 'running_mean', 'running_var')


def official_name(kind: str, name: str) -> str:
    """Name in the released code of a weight of this project's model.

    Args:
        kind: Key of :data:`KINDS`.
        name: Key of the state dict of a model of its configs.

    Raises:
        ValueError: If the released network has nothing like it.
    """
    layer, _, leaf = name.rpartition('.')
    for pattern, replacement in KINDS[kind].layers.items():
        if match := re.fullmatch(pattern, layer):
            return f'{match.expand(replacement)}.{leaf}'
    raise ValueError(f'{name} has no counterpart in the released code of {kind}')


def plain_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same weights without the wrappers' prefixes, the classifier always ``new_fc``.

    What stands before ``selfy.`` and ``tcm_layer.`` is dropped, wherever a file has the block.

    Raises:
        InputError: If two names become the same.
    """
    plain = {}
    for name, tensor in weights.items():
        short = re.sub(r'^(?:(?:module|base_model)\.)+', '', name)
        short = re.sub(r'^.*\.(?=(?:selfy|tcm_layer)\.)', '', short)
        short = re.sub(r'^(?:fc1|fc_final)(?=\.)', 'new_fc', short)
        if short in plain:
            raise InputError(f'the file has {short} twice, once as {name}')
        plain[short] = tensor
    return plain


def released_names(kind: str, weights: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], bool]:
    """Give the layers of a block the names of the released code, by their order, if need be.

    What is known of a block is its layers in their order; their names below ``selfy.`` and
    ``tcm_layer.`` are those of the released code. A block that shares no name with it is taken
    layer by layer, in the order of the file, if its tensors are of the same kinds in the same
    order. No such file is known: TCM's released models were trained with the released code.

    Args:
        kind: Key of :data:`KINDS`.
        weights: As :func:`plain_names` returns them.

    Returns:
        The weights, and whether layers were renamed.
    """
    block = KINDS[kind].block
    if not block:
        return dict(weights), False
    theirs = [name for name in weights if name.startswith(block) and not name.endswith(COUNTER)]
    ours = _block_names(kind)
    if set(theirs) & set(ours) or _leaves(theirs) != _leaves(ours):
        return dict(weights), False
    layers = dict(zip(map(_layer, theirs), map(_layer, ours), strict=True))
    return {_rename(name, layers): tensor for name, tensor in weights.items()}, True


def _block_names(kind: str) -> list[str]:
    """Names of a block's weights in the released code, in its order, without the counters."""
    return [
        f'{theirs}.{leaf}'
        for ours, theirs in KINDS[kind].layers.items()
        if theirs.startswith(KINDS[kind].block)
        for leaf in (_BN if ours.endswith('.bn') else ('weight',))
    ]


def _leaves(names: Sequence[str]) -> list[str]:
    return [name.rpartition('.')[2] for name in names]


def _layer(name: str) -> str:
    return name.rpartition('.')[0]


def _rename(name: str, layers: Mapping[str, str]) -> str:
    layer, _, leaf = name.rpartition('.')
    return f'{layers[layer]}.{leaf}' if layer in layers else name
