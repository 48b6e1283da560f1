"""From the weights of a file to a state dict of this project's model."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from mmaction_ext.engine.official_checkpoints.names import COUNTER, official_name
from mmaction_ext.errors import InputError

_LISTED = 20


def convert(
    kind: str, weights: Mapping[str, Tensor], target: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Weights of a file under the names, and in the shapes, of this project's model.

    Args:
        kind: Key of :data:`~mmaction_ext.engine.official_checkpoints.names.KINDS`.
        weights: With the names of the released code.
        target: State dict of the model.

    Returns:
        A state dict with the names of ``target``. Counters of batches that the file lacks are 0.

    Raises:
        InputError: If a weight is unknown, missing or of another shape; the message lists them.
    """
    names = {official_name(kind, ours): ours for ours in target}
    shapes = {name: _official_shapes(kind, ours, target[ours]) for name, ours in names.items()}
    _refuse(
        unknown=[name for name in weights if name not in names],
        missing=[name for name in names if name not in weights and not name.endswith(COUNTER)],
        misshapen=[
            f'{name}: {_text(weights[name].shape)} in the file, {_text(wanted[0])} here'
            for name, wanted in shapes.items()
            if name in weights and tuple(weights[name].shape) not in wanted
        ],
    )
    return {ours: _take(weights.get(name), target[ours]) for name, ours in names.items()}


def _official_shapes(kind: str, ours: str, tensor: Tensor) -> list[tuple[int, ...]]:
    """Shapes that a weight may have in a file, the released one first.

    They differ from those here in the place of axes of length 1 only: the classifier of SELFY
    and TCM is a 1x1 convolution, and the kernels of SELFY's extraction are (l, u, v) = (1, 3, 3)
    there, and (u, v, pixels) = (3, 3, 1) here.
    """
    shape = tuple(tensor.shape)
    if '.extraction.' in ours and len(shape) == 5:
        return [(*shape[:2], shape[4], *shape[2:4])]
    if kind != 'mfnet' and ours == 'cls_head.fc_cls.weight':
        return [(*shape, 1), shape]
    return [shape]


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
