"""Correlation of pairs: values, gradients, errors, and how it sits in PyTorch."""

import itertools
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from mmaction_ext.ops import local_correlation, pair_correlation

FAST = ('shifts', 'gram')
ALL = ('auto', 'reference', *FAST)


def maps(*shape, dtype=torch.float64, seed=0):
    """Queries and keys."""
    generator = torch.Generator().manual_seed(seed)
    return [
        torch.randn(shape, dtype=dtype, generator=generator).requires_grad_() for _ in range(2)
    ]


def brute_force(queries, keys, sides, dilation, scale):
    """The docstring's equation in numpy, one output value at a time; shares no code."""
    queries, keys = (x.detach().numpy() for x in (queries, keys))
    b, _, height, width = queries.shape
    out = np.zeros((b, *sides, height, width))
    for n, row, column, i, j in itertools.product(*map(range, out.shape)):
        y = i + dilation * (row - sides[0] // 2)
        z = j + dilation * (column - sides[1] // 2)
        if 0 <= y < height and 0 <= z < width:
            out[n, row, column, i, j] = scale * (queries[n, :, i, j] @ keys[n, :, y, z])
    return torch.from_numpy(out.reshape(b, -1, height, width))


@pytest.mark.parametrize('implementation', ALL)
@pytest.mark.parametrize(
    'shape, window, dilation',
    [
        ((2, 3, 5, 7), (3, 3), 1),
        ((2, 3, 7, 5), (5, 5), 2),
        ((1, 2, 4, 6), (1, 7), 1),  # wider than high, and the reverse
        ((1, 2, 4, 6), (7, 1), 1),
        ((3, 2, 6, 5), (3, 5), 3),
        ((1, 2, 2, 3), (9, 9), 1),  # a map smaller than the window
        ((2, 2, 1, 1), (3, 5), 2),
        ((1, 1, 3, 3), (1, 1), 1),
    ],
)
def test_equals_the_equation(implementation, shape, window, dilation):
    queries, keys = maps(*shape)
    actual = pair_correlation(queries, keys, window, dilation, implementation=implementation)
    expected = brute_force(queries, keys, window, dilation, shape[1] ** -0.5)
    torch.testing.assert_close(actual, expected)


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(*(st.integers(1, top) for top in (3, 3, 9, 9))),
    window=st.tuples(*[st.sampled_from([1, 3, 5, 7])] * 2),
    dilation=st.integers(1, 3),
    implementation=st.sampled_from(FAST),
    seed=st.integers(0, 2**31),
)
def test_values_and_gradients_equal_the_reference(shape, window, dilation, implementation, seed):
    inputs = maps(*shape, seed=seed)
    fast, slow = (
        pair_correlation(*inputs, window, dilation, implementation=name)
        for name in (implementation, 'reference')
    )
    torch.testing.assert_close(fast, slow)
    weight = torch.randn_like(fast)
    torch.testing.assert_close(
        torch.autograd.grad(fast, inputs, weight), torch.autograd.grad(slow, inputs, weight)
    )


@pytest.mark.parametrize('implementation', FAST)
def test_gradcheck(implementation):
    torch.autograd.gradcheck(
        lambda queries, keys: pair_correlation(queries, keys, (3, 5), 2, 0.7, implementation),
        maps(2, 2, 3, 4),
    )


def test_only_one_of_the_maps_may_need_a_gradient():
    queries, keys = maps(2, 2, 4, 4)
    expected = torch.autograd.grad(pair_correlation(queries, keys, 3).sum(), (queries, keys))
    pair_correlation(queries, keys.detach(), 3).sum().backward()
    pair_correlation(queries.detach(), keys, 3).sum().backward()
    torch.testing.assert_close((queries.grad, keys.grad), expected)


@pytest.mark.parametrize('window, dilation', [(3, 1), ((3, 5), 2)])
def test_equals_one_offset_of_the_local_correlation(window, dilation):
    x = torch.randn(2, 3, 5, 6, 7)
    pairs = pair_correlation(
        x[:, :, :-2].transpose(1, 2).flatten(0, 1),
        x[:, :, 2:].transpose(1, 2).flatten(0, 1),
        window,
        dilation,
    )
    volume = local_correlation(x, (2,), window, dilation)[:, :, :-2]
    torch.testing.assert_close(pairs.unflatten(0, (2, 3)).transpose(1, 2), volume)


@pytest.mark.parametrize('implementation', FAST)
@pytest.mark.parametrize('dilation', [1, 2])
@pytest.mark.parametrize('dy, dx', [(0, 0), (1, -3), (-1, 0), (0, 3), (1, 2)])
def test_moved_content_peaks_at_its_displacement(implementation, dilation, dy, dx):
    """Down and right are positive, from the queries to the keys; vertical first."""
    queries = torch.nn.functional.normalize(torch.randn(1, 8, 24, 24), dim=1)
    keys = torch.roll(queries, (dilation * dy, dilation * dx), (2, 3))
    volume = pair_correlation(queries, keys, (3, 7), dilation, implementation=implementation)
    assert torch.all(volume[0, :, 8:-8, 8:-8].argmax(0) == (1 + dy) * 7 + 3 + dx)


def test_scale_is_one_over_the_root_of_the_channels():
    queries, keys = torch.ones(1, 16, 1, 1), torch.full((1, 16, 1, 1), 2.0)
    assert pair_correlation(queries, keys, 1).item() == pytest.approx(32 / 4)
    assert pair_correlation(queries, keys, 1, scale=0.5).item() == pytest.approx(32 / 2)


@pytest.mark.parametrize('implementation', FAST)
@pytest.mark.parametrize(
    'arrange',
    [
        lambda x: x.to(memory_format=torch.channels_last),
        lambda x: x.transpose(0, 1).contiguous().transpose(0, 1),
        lambda x: x.mT.contiguous().mT,
        lambda x: x.repeat_interleave(2, dim=-1)[..., ::2],
    ],
)
def test_any_strides(arrange, implementation):
    plain = maps(2, 3, 6, 5)
    arranged = [arrange(x.detach()).requires_grad_() for x in plain]
    expected, actual = (
        pair_correlation(*inputs, (3, 5), implementation=implementation)
        for inputs in (plain, arranged)
    )
    torch.testing.assert_close(actual, expected)
    weight = torch.randn_like(actual)
    torch.testing.assert_close(
        torch.autograd.grad(actual, arranged, weight), torch.autograd.grad(expected, plain, weight)
    )


@pytest.mark.parametrize('autocast', [False, True])
@pytest.mark.parametrize('implementation', FAST)
@pytest.mark.parametrize('dtype', [torch.half, torch.bfloat16])
def test_half_precision_is_computed_in_single_and_rounded_once(dtype, implementation, autocast):
    half = [x.detach().to(dtype).requires_grad_() for x in maps(2, 64, 5, 5)]
    single = [x.detach().float().requires_grad_() for x in half]
    with torch.autocast('cpu', dtype, enabled=autocast):
        y = pair_correlation(*half, implementation=implementation)
    expected = pair_correlation(*single, implementation=implementation)
    assert torch.equal(y, expected.to(dtype))
    weight = torch.randn_like(y)
    y.backward(weight)
    expected.backward(weight.float())
    for x, z in zip(half, single, strict=True):
        assert torch.equal(x.grad, z.grad.to(dtype))


@pytest.mark.parametrize('implementation', FAST)
def test_no_pairs(implementation):
    inputs = maps(0, 3, 5, 5)
    y = pair_correlation(*inputs, 3, implementation=implementation)
    assert y.shape == (0, 9, 5, 5)
    y.sum().backward()
    assert inputs[1].grad.shape == (0, 3, 5, 5)


@pytest.mark.parametrize(
    'arguments, value',
    [
        (dict(window=4), '4'),
        (dict(window=0), '0'),
        (dict(window=(3, -1)), r'\(3, -1\)'),
        (dict(window=(3,)), r'\(3,\)'),
        (dict(dilation=0), '0'),
        (dict(implementation='magic'), "'magic'"),
        (dict(keys=torch.zeros(1, 2, 4, 5)), r'\(1, 2, 4, 5\)'),
        (dict(keys=torch.zeros(1, 2, 4, 4, dtype=torch.float64)), 'float64'),
        (dict(keys=torch.zeros(2, 4, 4)), r'keys.*\(2, 4, 4\)'),
        (dict(queries=torch.zeros(1, 2, 1, 4, 4)), r'queries.*\(1, 2, 1, 4, 4\)'),
        (dict(queries=torch.zeros(1, 2, 4, 4, dtype=torch.int64)), 'queries.*int64'),
        (dict(queries=torch.zeros(1, 0, 4, 4), keys=torch.zeros(1, 0, 4, 4)), r'\(1, 0, 4, 4\)'),
    ],
)
def test_errors_name_the_value(arguments, value):
    plain = dict(queries=torch.zeros(1, 2, 4, 4), keys=torch.zeros(1, 2, 4, 4))
    with pytest.raises(ValueError, match=value):
        pair_correlation(**{**plain, **arguments})


@pytest.mark.parametrize('implementation', FAST)
def test_operator_contract(implementation):
    """Schema, shape rule and gradient agree with what the kernel does (PyTorch's own check)."""
    inputs = maps(2, 3, 5, 5, dtype=torch.float32)
    arguments = ([3, 5], 2, 0.5, implementation)
    torch.library.opcheck(torch.ops.mmaction_ext.pair_correlation, (*inputs, *arguments))
    torch.library.opcheck(
        torch.ops.mmaction_ext.pair_correlation_backward,
        (torch.randn(2, 15, 5, 5), *(x.detach() for x in inputs), *arguments),
    )


def test_operator_contract_for_channels_last():
    inputs = [
        x.detach().to(memory_format=torch.channels_last).requires_grad_()
        for x in maps(2, 3, 5, 4, dtype=torch.float32)
    ]
    torch.library.opcheck(
        torch.ops.mmaction_ext.pair_correlation, (*inputs, [3, 3], 1, 0.5, 'shifts')
    )


def test_meta_device():
    inputs = [torch.empty(2, 3, 5, 6, device='meta', requires_grad=True) for _ in range(2)]
    y = pair_correlation(*inputs, (3, 5))
    assert y.shape == (2, 15, 5, 6) and y.device.type == 'meta'
    y.sum().backward()
    assert inputs[0].grad.shape == inputs[1].grad.shape == (2, 3, 5, 6)


def test_flops():
    b, channels, height, width = shape = (2, 3, 5, 6)
    forward = 2 * b * height * width * channels * 3 * 7
    inputs = maps(*shape)
    with FlopCounterMode(display=False) as counter:
        y = pair_correlation(*inputs, (3, 7))
    assert counter.get_total_flops() == forward
    with FlopCounterMode(display=False) as counter:
        y.sum().backward()
    assert counter.get_total_flops() == 2 * forward


def test_backward_keeps_only_the_maps():
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda t: saved.append(t.shape) or t, lambda t: t
    ):
        pair_correlation(*maps(1, 2, 4, 4), 3)
    assert saved == [(1, 2, 4, 4)] * 2


@pytest.mark.slow
@pytest.mark.parametrize(
    'backend',
    [
        'aot_eager',
        pytest.param(
            'inductor',
            marks=pytest.mark.skipif(
                not shutil.which('g++'), reason='inductor compiles C++ and there is no g++'
            ),
        ),
    ],
)
def test_compiles_without_a_graph_break(backend):
    def loss(queries, keys):
        return pair_correlation(queries * 2, keys, (3, 5)).square().sum()

    inputs = maps(2, 3, 5, 5, dtype=torch.float32)
    expected = torch.autograd.grad(loss(*inputs), inputs)
    compiled = torch.compile(loss, fullgraph=True, backend=backend)
    torch.testing.assert_close(torch.autograd.grad(compiled(*inputs), inputs), expected)
