"""What plain restatements of networks need: weights that are not trivial, layers by their names.

And our networks with the weights of files that have the names and shapes of released ones.
"""

import torch
import torch.nn.functional as F
from torch import nn

from mmaction_ext.engine.official_checkpoints import convert, plain_names
from mmaction_ext.models.building import build_model


def trained(module):
    """The module in float64 for evaluation, with normalisations that no two share."""
    torch.manual_seed(0)
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.uniform_(norm.weight, 0.5, 2)
            nn.init.normal_(norm.bias, 0.2, 0.3)
            norm.running_mean.normal_(0, 0.1)
            norm.running_var.uniform_(0.5, 2)
    return module.double().eval()


def normalised(x, norm):
    """Of maps (N, C, H, W), by the running statistics of a layer."""
    return F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias)


class Layers:
    """The layers of a network by their names in a state dict, functional and in its precision."""

    def __init__(self, state):
        self.state = state

    def conv(self, x, name, stride=1, padding=0, groups=1):
        """A convolution, with a bias where there is one; in 3-D the stride is that of space."""
        weight, bias = self.state[f'{name}.weight'], self.state.get(f'{name}.bias')
        if weight.dim() == 5:
            return F.conv3d(x, weight, bias, (1, stride, stride), padding, groups=groups)
        return F.conv2d(x, weight, bias, stride, padding, groups=groups)

    def bn(self, x, name):
        """A normalisation by running statistics."""
        mean, var, weight, bias = (
            self.state[f'{name}.{part}']
            for part in ('running_mean', 'running_var', 'weight', 'bias')
        )
        return F.batch_norm(x, mean, var, weight, bias)

    def over_time(self, x, name, frames):
        """A depthwise convolution over time by ``nn.Conv1d``'s weight (C, 1, 3)."""
        clips = x.unflatten(0, (-1, frames)).permute(0, 3, 4, 2, 1)  # N, H, W, C, T
        mixed = F.conv1d(
            clips.flatten(0, 2), self.state[f'{name}.weight'], padding=1, groups=x.shape[1]
        )
        return mixed.unflatten(0, clips.shape[:3]).permute(0, 4, 3, 1, 2).flatten(0, 1)


def batch_norm_names(name, channels):
    """Of a normalisation, as torch writes them."""
    leaves = ('weight', 'bias', 'running_mean', 'running_var')
    return {f'{name}.{leaf}': (channels,) for leaf in leaves} | {f'{name}.num_batches_tracked': ()}


def drawn_state(shapes, seed=0):
    """Random weights of the given names and shapes, under which features do not explode."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in shapes.items():
        leaf = name.rpartition('.')[2]
        if leaf == 'num_batches_tracked':
            state[name] = torch.tensor(7)
        elif leaf == 'running_var':
            state[name] = 0.5 + torch.rand(shape, generator=generator)
        elif leaf == 'weight' and len(shape) == 1:
            state[name] = 0.4 + 0.4 * torch.rand(shape, generator=generator)
        elif len(shape) == 1:
            state[name] = 0.1 * torch.randn(shape, generator=generator)
        else:
            written = next(length for length in shape if length > 1)
            fan_in = torch.Size(shape).numel() / written
            state[name] = torch.randn(shape, generator=generator) * (2 / fan_in) ** 0.5
    return state


def converted(kind, config, state):
    """The recognizer of a config with the weights of a file of a kind, for evaluation.

    They are loaded strictly; with names and shapes alone, on the meta device.
    """
    device = next(iter(state.values())).device
    model = build_model(config, device.type)
    model.load_state_dict(convert(kind, plain_names(state), model.state_dict()), strict=True)
    return model.eval()


def unfilled(shapes):
    """Names and shapes as tensors without values."""
    return {name: torch.empty(shape, device='meta') for name, shape in shapes.items()}
