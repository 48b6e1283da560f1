"""The CGNL block against sums over all pairs of channels and positions."""

import math

import pytest
import torch
from mmaction.registry import MODELS
from torch import nn

from mmaction_ext.errors import InputError
from mmaction_ext.modules.cgnl import CGNL

GAMMA = 0.3


def small(**arguments):
    torch.manual_seed(0)
    module = CGNL({3: 8}, groups=2, zero_init=False, **arguments)
    for parameter in module.parameters():
        nn.init.normal_(parameter)
    return module.double().eval()


def clip(clips=2, frames=3):
    return torch.randn(clips, 8, frames, 2, 3, dtype=torch.float64)


def series(a, b, order):
    """The kernel of two numbers: their product, or the Gaussian up to a power of the product."""
    if order is None:
        return a * b
    powers = (((2 * GAMMA) ** p / math.factorial(p)) * (a * b) ** p for p in range(order + 1))
    return math.exp(-2 * GAMMA) * sum(powers)


def projected(x, layer):
    weight = layer.weight.flatten(1)
    return torch.einsum('dc,cthw->dthw', weight, x)


def by_pairs(block, x, order):
    """Of one sample (C, T, H, W): every entry attends to every other one of its group."""
    theta, phi, g = (projected(x, layer) for layer in (block.t, block.p, block.g))
    halves = []
    for group in (slice(0, 2), slice(2, 4)):
        rows = theta[group].reshape(-1)
        columns, values = phi[group].reshape(-1), g[group].reshape(-1)
        summed = torch.stack(
            [
                sum(series(a, b, order) * value for b, value in zip(columns, values, strict=True))
                for a in rows
            ]
        )
        halves.append(summed.view_as(theta[group]))
    out = []
    for index, half in enumerate(halves):
        weight = block.z.weight[4 * index : 4 * index + 4].flatten(1)
        branch = torch.einsum('dc,cthw->dthw', weight, half)
        spread = ((branch - branch.mean()) ** 2).mean()
        out.append((branch - branch.mean()) / (spread + block.gn.eps).sqrt())
    scale, shift = (p[:, None, None, None] for p in (block.gn.weight, block.gn.bias))
    return x + torch.cat(out) * scale + shift


@pytest.mark.parametrize('order', [None, 0, 3])
def test_equals_sums_over_all_pairs_and_so_do_its_gradients(order):
    module, x = small(order=order, gamma=GAMMA), clip().requires_grad_()
    block = module.blocks['3']
    found = module(x, 3)[0]
    expected = torch.stack([by_pairs(block, each, order) for each in x])
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    weights = torch.randn_like(x)
    inputs = [x, *block.parameters()]
    for own, other in zip(
        torch.autograd.grad((found * weights).sum(), inputs),
        torch.autograd.grad((expected * weights).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(own, other, rtol=1e-8, atol=1e-8)


def test_over_frames_each_frame_is_a_clip_of_its_own():
    x = clip()
    module, whole = small(over='frame'), small(over='clip')
    apart = [whole(x[:, :, [t, t]], 3)[0][:, :, :1] for t in range(3)]
    torch.testing.assert_close(module(x, 3)[0], torch.cat(apart, 2), rtol=1e-4, atol=1e-4)
    assert (module(x, 3)[0] - whole(x, 3)[0]).abs().max() > 0.1


def test_only_the_sign_of_the_scalar_matters():
    """The normalisation's groups are those of the scalar; as in the released code."""
    x, module = clip(), small()
    before = module(x, 3)[0]
    with torch.no_grad():
        module.blocks['3'].g.weight *= 100
    torch.testing.assert_close(module(x, 3)[0], before, rtol=1e-3, atol=1e-3)
    with torch.no_grad():
        module.blocks['3'].g.weight *= -1
    assert (module(x, 3)[0] - before).abs().max() > 0.1


@pytest.mark.parametrize('over', ['clip', 'frame'])
@pytest.mark.parametrize('order', [None, 3])
def test_is_blind_to_the_order_of_frames(over, order):
    x, module = clip(), small(over=over, order=order)
    torch.testing.assert_close(module(x.flip(2), 3)[0].flip(2), module(x, 3)[0])


def test_a_new_block_is_the_identity_and_starts_as_in_the_released_code():
    module = MODELS.build(dict(type='CGNL', in_channels={4: 64}))
    x = torch.randn(1, 64, 2, 3, 3)
    assert module(x, 4)[0].equal(x)
    block = module.blocks['4']
    for layer in (block.t, block.p, block.g, block.z):
        assert layer.bias is None
        assert layer.weight.std().item() == pytest.approx(0.01, rel=0.1)
    assert not block.gn.bias.any()


def test_sums_do_not_overflow_half_precision():
    module, x = small().float(), 500 * clip().float()
    with torch.autocast('cpu', torch.float16):
        assert module(x, 3)[0].isfinite().all()


def test_parameters_of_the_block_of_the_released_network():
    """t, p, g (512, 1024), z (1024, 64), gn of 1024."""
    with torch.device('meta'):
        module = CGNL({4: 1024})
    assert sum(p.numel() for p in module.parameters()) == 3 * 512 * 1024 + 1024 * 64 + 2 * 1024


@pytest.mark.parametrize(
    'arguments, message',
    [
        (dict(in_channels={3: 24}), '24 channels.*groups=8'),
        (dict(groups=0), 'groups'),
        (dict(order=-1), 'order'),
        (dict(gamma=0.0), 'gamma'),
        (dict(over='video'), 'over must be'),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        CGNL(**{'in_channels': {3: 32}, **arguments})
