"""Which network a file is of, from its names and shapes."""

import re

from mmaction_ext.engine.official_checkpoints.kind import Network, Weights
from mmaction_ext.engine.official_checkpoints.kinds import KINDS
from mmaction_ext.errors import InputError


def identify(kind: str, weights: Weights, num_segments: int | None = None) -> Network:
    """Find the network of a file.

    Where a tensor is missing the usual network is assumed; :func:`convert` then lists it.

    Args:
        kind: Key of :data:`~mmaction_ext.engine.official_checkpoints.kinds.KINDS`.
        weights: With the names of the released code.
        num_segments: Frames of a clip, where they are known.

    Raises:
        InputError: If the file is of another kind, of a network that the released code cannot
            make, or does not go with ``num_segments``.
    """
    found = {
        each: mark for each, described in KINDS.items() for mark in _marks(described.mark, weights)
    }
    if kind not in found:
        raise InputError(
            f'the file is none of {kind}: no name or shape in it has {_plain(KINDS[kind].mark)!r}'
            + ''.join(f', but {mark!r} of {each}' for each, mark in found.items())
        )
    return KINDS[kind].read(weights, num_segments)


def _marks(mark: str, weights: Weights) -> list[str]:
    """What a mark is in the first weight that has it, or nothing."""
    shown = (f'{name} {"x".join(map(str, weight.shape))}' for name, weight in weights.items())
    return next(([match.group()] for each in shown if (match := re.search(mark, each))), [])


def _plain(mark: str) -> str:
    return re.sub(r'[\\^$]', '', mark)
