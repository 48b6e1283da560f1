"""From the weights of a file to a state dict of this project's model."""

import re
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mmaction_ext.engine.official_checkpoints.kinds import KINDS
from mmaction_ext.engine.official_checkpoints.names import COUNTER, official_name
from mmaction_ext.errors import InputError

_LISTED = 20


def convert(
    kind: str, weights: Mapping[str, Tensor], target: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Weights of a file under the names, and in the shapes, of this project's model.

    Args:
        kind: Key of :data:`~mmaction_ext.engine.official_checkpoints.kinds.KINDS`.
        weights: With the names of the released code.
        target: State dict of the model.

    Returns:
        A state dict with the names of ``target``. Counters of batches that the file lacks are 0.

    Raises:
        InputError: If a weight is unknown, missing or of another shape; the message lists them.
    """
    weights = {
        name: tensor
        for name, tensor in weights.items()
        if not re.fullmatch(KINDS[kind].unused, name)
    }
    names = {official_name(kind, ours): ours for ours in target}
    _refuse(
        unknown=[name for name in weights if name not in names],
        missing=[name for name in names if name not in weights and not name.endswith(COUNTER)],
        misshapen=[
            f'{name}: {_text(weights[name].shape)} in the file, {_text(wanted)} here'
            for name, ours in names.items()
            if name in weights
            for wanted in _misfit(kind, ours, target[ours], weights[name])
        ],
    )
    return {ours: _take(weights.get(name), target[ours]) for name, ours in names.items()}


def _misfit(kind: str, ours: str, target: Tensor, tensor: Tensor) -> list[Sequence[int]]:
    """The shape that a weight should have in the file, if it has not."""
    wanted = KINDS[kind].shape(ours, tuple(target.shape))
    if wanted is not None:
        return [] if tuple(tensor.shape) == wanted else [wanted]
    # a 1x1 convolution for a linear layer, a 1 x k x k kernel for one of frames
    same = tensor.squeeze().shape == target.squeeze().shape
    return [] if same else [target.shape]


def _take(tensor: Tensor | None, target: Tensor) -> Tensor:
    """A copy, which does not drag a larger storage of the file along."""
    if tensor is None:
        return torch.zeros_like(target)
    return tensor.detach().reshape(target.shape).to(target.dtype, copy=True)


def _text(shape: Sequence[int]) -> str:
    return 'x'.join(map(str, shape)) or 'scalar'


def _refuse(**lists: Sequence[str]) -> None:
    lines = []
    for what, names in lists.items():
        lines += [f'{what} {name}' for name in names[:_LISTED]]
        if len(names) > _LISTED:
            lines.append(f'{len(names) - _LISTED} more {what}')
    if lines:
        counts = ', '.join(f'{len(names)} {what}' for what, names in lists.items() if names)
        raise InputError(f'its tensors do not fit ({counts}): {"; ".join(lines)}')
