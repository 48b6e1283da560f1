"""Correlation of groups under learnt weights: values, gradients, errors."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from mmaction_ext.ops import grouped_correlation, pair_correlation


def tensors(size, sides, length, seed=0):
    """Queries, keys and, for a length above 0, weights of so many frames."""
    generator = torch.Generator().manual_seed(seed)
    shapes = [size, size, *([(size[2], length, *sides)] if length else [])]
    return [
        torch.randn(shape, dtype=torch.float64, generator=generator).requires_grad_()
        for shape in shapes
    ]


def by_loops(queries, keys, weight, groups, sides, dilation):
    """The docstring's sum, one output value at a time."""
    n, t, channels, height, width = queries.shape
    each = channels // groups
    out = []
    for clip, frame, group, a, b, i, j in itertools.product(
        range(n), range(t), range(groups), *map(range, sides), range(height), range(width)
    ):
        y, x = i + dilation * (a - sides[0] // 2), j + dilation * (b - sides[1] // 2)
        value = queries.new_zeros(())
        if 0 <= y < height and 0 <= x < width:
            for c in range(group * each, (group + 1) * each):
                factor = 1 if weight is None else weight[c, frame % weight.shape[1], a, b]
                value = value + factor * queries[clip, frame, c, i, j] * keys[clip, frame, c, y, x]
        out.append(value / each)
    return torch.stack(out).view(n, t, -1, height, width)


@settings(max_examples=25, deadline=None)
@given(
    size=st.tuples(*(st.integers(1, top) for top in (2, 2, 2, 3, 3))),
    groups=st.integers(1, 2),
    sides=st.tuples(*[st.sampled_from([1, 3])] * 2),
    dilation=st.integers(1, 2),
    length=st.sampled_from(['none', 'one', 'each']),
    seed=st.integers(0, 2**31),
)
def test_values_and_gradients_equal_the_loops(size, groups, sides, dilation, length, seed):
    size = (*size[:2], size[2] * groups, *size[3:])
    lengths = {'none': 0, 'one': 1, 'each': size[1]}
    inputs = tensors(size, sides, lengths[length], seed)
    queries, keys, weight = inputs if len(inputs) == 3 else (*inputs, None)
    actual = grouped_correlation(queries, keys, weight, groups, sides, dilation)
    expected = by_loops(queries, keys, weight, groups, sides, dilation)
    torch.testing.assert_close(actual, expected)
    factor = torch.randn_like(actual)
    torch.testing.assert_close(
        torch.autograd.grad(actual, inputs, factor), torch.autograd.grad(expected, inputs, factor)
    )


@pytest.mark.parametrize('length', [0, 2])
def test_gradcheck(length):
    inputs = tensors((1, 2, 4, 3, 2), (3, 1), length)
    assert torch.autograd.gradcheck(
        lambda queries, keys, weight=None: grouped_correlation(
            queries, keys, weight, 2, (3, 1), 2
        ),
        inputs,
    )


def test_one_group_without_weights_is_the_mean_of_all_channels():
    queries, keys = tensors((2, 3, 4, 5, 6), (7, 7), 0)
    maps = queries.flatten(0, 1), keys.flatten(0, 1)
    expected = pair_correlation(*maps, 7, 2, scale=1 / 4).unflatten(0, (2, 3))
    torch.testing.assert_close(grouped_correlation(queries, keys, dilation=2), expected)


def test_weights_of_ones_change_nothing_but_rounding():
    queries, keys = tensors((2, 3, 6, 5, 6), (3, 5), 0)
    expected = grouped_correlation(queries, keys, None, 3, (3, 5))
    for length in (1, 3):
        ones = torch.ones(6, length, 3, 5, dtype=torch.float64)
        torch.testing.assert_close(grouped_correlation(queries, keys, ones, 3, (3, 5)), expected)


@pytest.mark.parametrize('weighted', [False, True])
def test_multiply_adds_are_those_of_the_products(weighted):
    frames = torch.empty(2, 4, 64, 14, 15, device='meta')
    weight = torch.empty(64, 1, 7, 7, device='meta') if weighted else None
    with FlopCounterMode(display=False) as counter:
        volume = grouped_correlation(frames, frames, weight, 32, 7, 2)
    assert volume.shape == (2, 4, 32 * 49, 14, 15)
    assert counter.get_total_flops() == 2 * 2 * 4 * 14 * 15 * 64 * 49


def test_half_precision_comes_back():
    queries, keys, weight = (x.detach() for x in tensors((1, 2, 4, 5, 5), (3, 3), 1))
    expected = grouped_correlation(queries, keys, weight, 2, 3)
    actual = grouped_correlation(queries.bfloat16(), keys.bfloat16(), weight.float(), 2, 3)
    assert actual.dtype == torch.bfloat16
    torch.testing.assert_close(actual.double(), expected, rtol=0.03, atol=0.03)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(groups=3), 'groups must divide the 4 channels, got 3'),
        (dict(groups=0), 'groups must be at least 1, got 0'),
        (dict(window=4), 'odd'),
        (dict(dilation=0), 'dilation must be at least 1, got 0'),
        (dict(weight=torch.ones(4, 3, 7, 7)), r'\(4, 1 or 2, 7, 7\), got \(4, 3, 7, 7\)'),
        (dict(weight=torch.ones(4, 1, 5, 7)), r'got \(4, 1, 5, 7\)'),
    ],
)
def test_errors_name_the_value(options, message):
    frames = torch.ones(1, 2, 4, 5, 5)
    with pytest.raises(ValueError, match=message):
        grouped_correlation(frames, frames, **options)
