"""Relational self-attention against its formulas written out as loops, switches and size."""

import itertools

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from mmaction_ext.errors import InputError
from mmaction_ext.modules.rsa import RSA, TYPES, RelationalSelfAttention

CHANNELS, QUERIES, SIDES = 6, 2, (3, 5, 3)


def core(**arguments):
    torch.manual_seed(0)
    core = RelationalSelfAttention(
        CHANNELS, **{'num_queries': QUERIES, 'neighbourhood': SIDES, **arguments}
    ).double()
    if core.I is not None:  # not the identity, which hides a transposition
        core.I.data.normal_()
    return core


def unit(vector):
    return vector / (vector.square().sum() + 1e-6).sqrt()


def attend(frames, weights, num_queries, kernel_type, feat_type, sides):
    """The output, channel ``f * L + l``, summed term by term.

    Args:
        frames: (N, T, C, H, W).
        weights: By the names of the released code.
    """
    n, t, channels, h, w = frames.shape
    h2, values = weights['H2.weight'], channels // num_queries
    width = len(h2)
    projected = torch.einsum('ntchw,oc->nthwo', frames, weights['projection.weight'].flatten(1))
    places = list(itertools.product(range(n), range(t), range(h), range(w)))
    query, key, value = {}, {}, {}
    for place in places:
        vector, begin = projected[place], num_queries * width
        query[place] = [unit(each) for each in vector[:begin].split(width)]
        if kernel_type != 'V':
            key[place] = unit(vector[begin : begin + width])
        value[place] = unit(vector[-values:])
    offsets = list(itertools.product(*(range(side) for side in sides)))
    out = {}
    for clip, frame, row, column in places:
        near = []  # index in the kernel and place of each neighbour that is in the clip
        for offset in offsets:
            at = tuple(
                here + step - side // 2
                for here, step, side in zip((frame, row, column), offset, sides, strict=True)
            )
            if (clip, *at) in value:
                near.append((offset, (clip, *at)))
        here = (clip, frame, row, column)
        a, kernel = {}, {}
        for c, d in itertools.product(range(width), range(width)):
            if kernel_type != 'V':
                h1 = weights['H1.weight'][c * width + d, 0]
                a[c, d] = sum(h1[m] * key[at][c] for m, at in near)
            if kernel_type == 'VplusR':
                a[c, d] = a[c, d] + weights['P1'][0, c, d]
        for head, d in itertools.product(range(num_queries), range(width)):
            if kernel_type == 'V':
                kernel[head, d] = query[here][head][d]
                continue
            kernel[head, d] = sum(query[here][head][c] * a[c, d] for c in range(width))
        basic = {
            (e, d): sum(h2[d, 0][m] * value[at][e] for m, at in near)
            for e, d in itertools.product(range(values), range(width))
        }
        relations = {}
        for e, f in itertools.product(range(values), range(values)):
            if feat_type != 'V':
                g = weights['G.weight'][f, 0]
                relations[e, f] = sum(g[m] * value[at][e] for m, at in near)
            if feat_type == 'VplusR':
                relations[e, f] = relations[e, f] + weights['I'][0, e, f]
        for f, head in itertools.product(range(values), range(num_queries)):
            total = 0
            for d in range(width):
                if feat_type == 'V':
                    context = basic[f, d]
                else:
                    context = sum(relations[e, f] * basic[e, d] for e in range(values))
                total = total + kernel[head, d] * context
            out[clip, frame, f * num_queries + head, row, column] = total
    return torch.stack([out[at] for at in sorted(out)]).view(frames.shape)


@pytest.mark.parametrize(
    'arguments',
    [
        *(dict(kernel_type=kind) for kind in TYPES),
        *(dict(feat_type=kind) for kind in TYPES[:2]),
        dict(kernel_type='V', feat_type='V'),
        dict(num_queries=3),
        dict(query_channels=2),
        dict(neighbourhood=(1, 3, 1)),
    ],
    ids=str,
)
def test_formulas_and_gradients(arguments):
    ours = core(**arguments)
    setting = dict(num_queries=QUERIES, kernel_type='VplusR', feat_type='VplusR', sides=SIDES)
    names = dict(neighbourhood='sides')
    setting.update(
        (names.get(name, name), value)
        for name, value in arguments.items()
        if name != 'query_channels'
    )
    frames = torch.randn(2, 2, CHANNELS, 2, 2, dtype=torch.float64, requires_grad=True)
    weights = dict(ours.named_parameters())
    found, expected = ours(frames), attend(frames, weights, **setting)
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)
    loss = torch.randn_like(expected)
    inputs = [frames, *weights.values()]
    for got, wanted in zip(
        torch.autograd.grad(found, inputs, loss),
        torch.autograd.grad(expected, inputs, loss),
        strict=True,
    ):
        torch.testing.assert_close(got, wanted, rtol=1e-8, atol=1e-10)


def test_weights_are_those_of_the_released_code():
    """Names in their order and shapes, of the block at layer2: p = 128, D = 16."""
    core = RelationalSelfAttention(128)
    assert {name: tuple(weight.shape) for name, weight in core.state_dict().items()} == {
        'P1': (1, 16, 16),
        'I': (1, 16, 16),
        'projection.weight': (160, 128, 1, 1, 1),
        'H1.weight': (256, 1, 5, 7, 7),
        'H2.weight': (16, 1, 5, 7, 7),
        'G.weight': (16, 1, 5, 7, 7),
    }
    assert core.I[0].equal(torch.eye(16))
    assert core.P1.std().item() == pytest.approx((1 / (245 * 16)) ** 0.5, rel=0.2)
    assert core.H1.weight.std().item() == pytest.approx((2 / (256 * 245)) ** 0.5, rel=0.05)


def test_products_and_convolutions_of_the_seven_layers():
    """16 frames of 224 x 224: 1.00 G in products; see the sizes of RSANet for the rest."""
    macs = {'bmm': 0, 'convolution': 0}
    for planes, side in ((64, 56), *((128, 28),) * 2, *((256, 14),) * 3, (512, 7)):
        core = RelationalSelfAttention(planes).to('meta')
        with FlopCounterMode(display=False) as counter:
            core(torch.empty(1, 16, planes, side, side, device='meta'))
        for name, flops in counter.get_flop_counts()['Global'].items():
            macs[name.__name__] += flops // 2
    positions = {56: 50_176, 28: 12_544, 14: 3_136, 7: 784}
    assert macs['bmm'] == sum(
        positions[side] * (2 * 8 * d**2 + d**3)
        for d, side in ((8, 56), *((16, 28),) * 2, *((32, 14),) * 3, (64, 7))
    )
    assert round(macs['bmm'] / 1e9, 2) == 1.00


def test_a_new_module_is_the_identity_and_learns():
    torch.manual_seed(0)
    module = RSA({3: 16}, num_queries=4).double()
    x = torch.randn(1, 16, 3, 5, 5, dtype=torch.float64, requires_grad=True)
    out, carried = module(x, 3)
    assert carried == () and out.equal(x)
    out.square().sum().backward()
    assert module.blocks['3'].bn.weight.grad.abs().min() > 0
    assert not RSA({3: 16}, num_queries=4, zero_init=False).double()(x, 3)[0].equal(x)


@pytest.mark.parametrize(
    'arguments, message',
    [
        (dict(num_queries=0), 'num_queries'),
        (dict(num_queries=5), 'num_queries=5 must divide the 6 channels'),
        (dict(query_channels=0), 'query_channels'),
        (dict(neighbourhood=(3, 3)), 'neighbourhood'),
        (dict(neighbourhood=(3, 4, 3)), 'neighbourhood'),
        (dict(neighbourhood=(3, 3, 1.5)), 'neighbourhood'),
        (dict(kernel_type='v'), 'kernel_type'),
        (dict(feat_type='VR'), 'feat_type'),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        core(**arguments)
