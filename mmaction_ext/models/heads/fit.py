"""Whether a head takes what the backbone before it gives."""

from typing import Any

import torch
from torch import nn

from mmaction_ext.errors import InputError
from mmaction_ext.models.heads.concat_head import ConcatHead, branch_vector


def misfit(head: nn.Module, features: Any) -> str:
    """Why a head does not take features, and what would; empty where nobody here knows.

    Args:
        head: Head of a recognizer. Of heads that are neither mmaction2's nor this package's
            nothing is known but their ``in_channels``.
        features: What the backbone gives: (N, C, ...), or a pair of such and the vector (N, D)
            of a branch.
    """
    kind, vector = type(head), branch_vector(features)
    if isinstance(head, ConcatHead):
        try:
            return misfit(head.head, head.split(features)[0])
        except InputError as error:
            return str(error)
    if vector is not None:
        if not kind.__module__.startswith(('mmaction.', 'mmaction_ext.')):
            return ''
        size = vector.shape[1]
        return (
            f'{kind.__name__} does not take the {size} values of a branch such as KPSEM: put it '
            f"into ConcatHead(branch_channels={size}), cls_head=dict(type='ConcatHead', "
            f"branch_channels={size}, head=dict(type='{kind.__name__}', ...))"
        )
    channels = getattr(head, 'in_channels', None)
    if torch.is_tensor(features) and channels not in (None, features.shape[1]):
        return (
            f'{kind.__name__} was built with in_channels={channels}, '
            f'but the backbone gives {features.shape[1]} channels'
        )
    return ''
