"""Weights of an image network under the names of a backbone that starts from them."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from mmaction_ext.errors import InputError

_COUNTER = 'num_batches_tracked'


@dataclass(frozen=True)
class ImageNetwork:
    """The files of one image network.

    Attributes:
        layers: names of its convolutions and batch norms in a file, in the order of the network.
        classifier: name of its last layer, which a file may lack.
        backbones: ``type`` of each backbone that is this network, the usual one first, and the
            option of it that takes a file.
    """

    layers: tuple[str, ...]
    classifier: str
    backbones: Mapping[str, str]

    def convert(
        self, weights: Mapping[str, Tensor], target: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Weights of a file under the names of a backbone.

        Args:
            weights: as the file has them.
            target: state dict of the backbone, without classifier.

        Returns:
            A state dict with the names of ``target``, and ``classifier.*`` where the file has
            one, as timm names it. Counters of batches that the file lacks are 0.

        Raises:
            InputError: a weight is missing, unknown or of another shape.
        """
        own = list(dict.fromkeys(name.rpartition('.')[0] for name in target))
        layers = dict(zip(own, self.layers, strict=True))
        names = {
            name: f'{layers[layer]}.{leaf}'
            for name in target
            for layer, _, leaf in [name.rpartition('.')]
        }
        last = {
            name: f'classifier.{name.rpartition(".")[2]}'
            for name in weights
            if name.startswith(f'{self.classifier}.')
        }
        faults = [
            *(f'{name} is unknown' for name in weights if name not in {*names.values(), *last}),
            *(
                f'{name} is missing'
                for name in names.values()
                if name not in weights and not name.endswith(_COUNTER)
            ),
            *(
                f'{name} is {tuple(weights[name].shape)}, not {tuple(target[ours].shape)}'
                for ours, name in names.items()
                if name in weights and weights[name].shape != target[ours].shape
            ),
        ]
        if faults:
            more = f' and {len(faults) - 3} more' if len(faults) > 3 else ''
            raise InputError(f'its weights do not fit: {"; ".join(faults[:3])}{more}')
        return {
            ours: weights[name].clone() if name in weights else torch.zeros_like(target[ours])
            for ours, name in names.items()
        } | {ours: weights[name].clone() for name, ours in last.items()}
