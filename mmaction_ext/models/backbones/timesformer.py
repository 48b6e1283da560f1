"""TimeSformer for inputs of another size than its weights were learned with."""

from typing import Any

import torch
import torch.nn.functional as F
from mmaction.models.backbones import TimeSformer
from mmaction.registry import MODELS
from torch import Tensor


@MODELS.register_module()
class ResizedTimeSformer(TimeSformer):
    """mmaction2's ``TimeSformer``, whose position embedding is resized when weights are loaded.

    TimeSformer-HR sees frames of 448 pixels and starts from a network of 224. ``TimeSformer``
    passes over an embedding that does not fit and keeps a random one. The embeddings of places
    are interpolated to the nearest, as in the released code (facebookresearch/TimeSformer);
    that of the class token stays.

    Args:
        As of ``TimeSformer``.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._register_load_state_dict_pre_hook(self._resize)

    def _resize(self, state: dict[str, Any], prefix: str, *_: Any) -> None:
        name = f'{prefix}pos_embed'
        if name in state and state[name].shape != self.pos_embed.shape:
            state[name] = resize_positions(state[name], self.pos_embed.shape[1])


def resize_positions(embedding: Tensor, length: int) -> Tensor:
    """Position embedding for another number of places on a square grid.

    Args:
        embedding: (1, 1 + side**2, C), the class token's first.
        length: 1 + side**2 of the result.
    """
    token, places = embedding[:, :1], embedding[:, 1:]
    side, new_side = (round(count**0.5) for count in (places.shape[1], length - 1))
    grid = places.transpose(1, 2).unflatten(2, (side, side))
    grid = F.interpolate(grid, size=(new_side, new_side), mode='nearest')
    return torch.cat((token, grid.flatten(2).transpose(1, 2)), 1)
