"""The attention of the compact global descriptor against its equations, channel by channel."""

import math

import pytest
import torch
from torch import nn

from mmaction_ext.errors import InputError
from mmaction_ext.modules.cgd import CGD


def small(**arguments):
    torch.manual_seed(0)
    module = CGD({3: 5}, **arguments)
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    return module.double()


def by_channels(block, x):
    """Of what is pooled together, (C, ...)."""
    channels = range(len(x))
    average = [x[c].mean() for c in channels]
    peak = [x[c].max() for c in channels]
    total = sum(torch.exp(a) for a in average)
    shares = [torch.exp(a) / total for a in average]
    w = [getattr(block, f'w{i}').flatten() for i in range(3)]
    bias = [getattr(block, f'bias{i}').flatten() for i in range(3)]
    mean = [
        torch.tanh(sum(average[d] * w[0][d] for d in channels) * shares[c] + bias[0][c])
        for c in channels
    ]
    most = [
        torch.tanh(sum(peak[d] * w[1][d] for d in channels) * shares[c] + bias[1][c])
        for c in channels
    ]
    last = [
        torch.tanh(sum(most[d] * w[2][d] for d in channels) * mean[c] + bias[2][c])
        for c in channels
    ]
    return torch.stack([x[c] * (1 + last[c]) for c in channels])


@pytest.mark.parametrize('over', ['frame', 'clip'])
def test_equals_the_equations_and_so_do_its_gradients(over):
    module = small(over=over)
    block = module.blocks['3']
    x = torch.randn(2, 5, 3, 2, 4, dtype=torch.float64, requires_grad=True)
    found = module(x, 3)[0]
    if over == 'clip':
        expected = torch.stack([by_channels(block, clip) for clip in x])
    else:
        expected = torch.stack(
            [torch.stack([by_channels(block, clip[:, t]) for t in range(3)], 1) for clip in x]
        )
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    weights = torch.randn_like(x)
    inputs = [x, *block.parameters()]
    for own, other in zip(
        torch.autograd.grad((found * weights).sum(), inputs),
        torch.autograd.grad((expected * weights).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(own, other, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(module(x.flip(2), 3)[0].flip(2), found)


def test_starts_as_in_the_released_code():
    """Xavier-uniform of a matrix (C, 1), biases at zero; six values for each channel."""
    block = CGD({2: 300}).blocks['2']
    assert {name: tuple(p.shape) for name, p in block.named_parameters()} == {
        **{f'w{i}': (300, 1) for i in range(3)},
        **{f'bias{i}': (1, 300, 1, 1) for i in range(3)},
    }
    limit = math.sqrt(6 / 301)
    for i in range(3):
        assert 0.95 * limit < getattr(block, f'w{i}').abs().max() <= limit
        assert not getattr(block, f'bias{i}').any()


def test_another_pooling_is_named():
    with pytest.raises(InputError, match='over must be'):
        CGD({3: 8}, over='video')
