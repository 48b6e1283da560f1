"""The soft-argmax: values, gradients, known motions, precision, errors."""

import math
import shutil

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mmaction_ext.ops import l2_normalize, local_correlation, pair_correlation, soft_argmax


def loop(volume, sides, temperature, dilation):
    """The expectation of the docstring, one pixel at a time in Python's floats."""
    out = torch.empty(len(volume), 2, *volume.shape[2:], dtype=torch.float64)
    pixels = math.prod(volume.shape[2:])
    flat, result = (x.view(*x.shape[:2], pixels) for x in (volume, out))
    for b in range(flat.shape[0]):
        for p in range(flat.shape[2]):
            powers = [math.exp(v / temperature) for v in flat[b, :, p].tolist()]
            dy = sum(
                power * dilation * (k // sides[1] - sides[0] // 2)
                for k, power in enumerate(powers)
            )
            dx = sum(
                power * dilation * (k % sides[1] - sides[1] // 2) for k, power in enumerate(powers)
            )
            result[b, :, p] = torch.tensor([dy, dx]) / sum(powers)
    return out


@given(
    sides=st.tuples(*[st.sampled_from([1, 3, 5, 7])] * 2),
    rest=st.lists(st.integers(1, 4), max_size=3),
    batch=st.integers(0, 3),
    temperature=st.sampled_from([0.05, 1.0, 10.0]),
    dilation=st.integers(1, 3),
    seed=st.integers(0, 2**31),
)
def test_equals_the_expectation(sides, rest, batch, temperature, dilation, seed):
    volume = torch.randn(
        batch,
        sides[0] * sides[1],
        *rest,
        dtype=torch.float64,
        generator=torch.Generator().manual_seed(seed),
    )
    actual = soft_argmax(volume, sides, temperature, dilation)
    expected = loop(volume, sides, temperature, dilation)
    torch.testing.assert_close(actual, expected, rtol=1e-6, atol=1e-6)


def test_by_hand():
    """A window of 1 x 3 with weights 1/4, 1/4, 1/2."""
    volume = torch.tensor([[0.0, 0.0, math.log(2)]])
    assert soft_argmax(volume, (1, 3)).tolist() == [[0, pytest.approx(1 / 4)]]
    assert soft_argmax(volume, (3, 1)).tolist() == [[pytest.approx(1 / 4), 0]]
    assert soft_argmax(volume, (1, 3), dilation=4).tolist() == [[0, pytest.approx(1)]]
    # squared weights: 1/6, 1/6, 4/6
    assert soft_argmax(volume, (1, 3), temperature=0.5).tolist() == [[0, pytest.approx(1 / 2)]]


@pytest.mark.parametrize('window, dilation', [(5, 1), ((3, 7), 1), ((7, 3), 2)])
def test_a_single_peak_is_found_anywhere_in_the_window(window, dilation):
    u, v = (window, window) if isinstance(window, int) else window
    displacement = soft_argmax(torch.eye(u * v), window, 0.001, dilation)
    expected = [
        [dilation * (a - u // 2), dilation * (c - v // 2)] for a in range(u) for c in range(v)
    ]
    assert displacement.tolist() == expected


def test_a_flat_volume_has_no_displacement():
    assert torch.equal(soft_argmax(torch.full((2, 15, 3), 7.0), (3, 5)), torch.zeros(2, 2, 3))


@pytest.mark.parametrize('dilation', [1, 2])
@pytest.mark.parametrize('dy, dx', [(0, 0), (1, -3), (-1, 0), (0, 2), (1, 3)])
def test_recovers_a_known_motion_of_a_pair(dilation, dy, dx):
    moved = dilation * dy, dilation * dx
    queries = torch.randn(2, 64, 24, 20)
    keys = torch.roll(queries, moved, (2, 3))
    volume = pair_correlation(*map(l2_normalize, (queries, keys)), (3, 7), dilation, scale=1.0)
    inner = soft_argmax(volume, (3, 7), 0.01, dilation)[..., 8:-8, 8:-8]
    expected = torch.tensor(moved).view(2, 1, 1).expand_as(inner).float()
    torch.testing.assert_close(inner, expected, rtol=0, atol=1e-3)


def test_recovers_a_known_motion_in_a_clip():
    x = torch.randn(1, 64, 24, 24)
    clip = torch.stack([torch.roll(x, (t, -2 * t), (2, 3)) for t in range(4)], dim=2)
    volume = local_correlation(l2_normalize(clip), (1, -2), 9, scale=1.0)
    forward, backward = (
        soft_argmax(part, 9, 0.01)[0, :, :, 9:-9, 9:-9] for part in volume.chunk(2, dim=1)
    )
    for maps, expected in ((forward[:, :-1], (1.0, -2.0)), (backward[:, 2:], (-2.0, 4.0))):
        torch.testing.assert_close(
            maps, torch.tensor(expected).view(2, 1, 1, 1).expand_as(maps), rtol=0, atol=1e-3
        )


def test_gradcheck():
    volume = torch.randn(2, 15, 2, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(lambda x: soft_argmax(x, (3, 5), 0.5, 2), volume)


def test_no_overflow():
    volume = torch.tensor([[0.0, 1e4, 2e4]])
    assert soft_argmax(volume, (1, 3), 0.01).tolist() == [[0, 1]]


@pytest.mark.parametrize('dtype', [torch.half, torch.bfloat16])
def test_half_precision_is_computed_in_single_and_rounded_once(dtype):
    volume = torch.rand(2, 225, 4, 5).to(dtype)
    with torch.autocast('cpu', dtype):
        y = soft_argmax(volume, 15, 0.01)
    assert torch.equal(y, soft_argmax(volume.float(), 15, 0.01).to(dtype))


def test_single_precision_stays_single_under_autocast():
    volume = torch.rand(2, 225, 4, 5)
    with torch.autocast('cpu', torch.bfloat16):
        y = soft_argmax(volume, 15, 0.01)
    assert torch.equal(y, soft_argmax(volume, 15, 0.01))


@pytest.mark.parametrize(
    'arrange',
    [
        lambda x: x.to(memory_format=torch.channels_last),
        lambda x: x.transpose(1, 3).contiguous().transpose(1, 3)[..., ::2],
    ],
)
def test_any_strides(arrange):
    volume = arrange(torch.randn(2, 9, 4, 6))
    torch.testing.assert_close(soft_argmax(volume, 3), soft_argmax(volume.contiguous(), 3))


def test_meta_device():
    y = soft_argmax(torch.empty(2, 15, 4, 5, 6, device='meta'), (3, 5))
    assert y.shape == (2, 2, 4, 5, 6) and y.device.type == 'meta'


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
    volume = torch.randn(2, 15, 3, requires_grad=True)
    compiled = torch.compile(soft_argmax, fullgraph=True, backend=backend)
    expected, actual = (function(volume, (3, 5), 0.5) for function in (soft_argmax, compiled))
    torch.testing.assert_close(actual, expected)
    torch.testing.assert_close(
        *(torch.autograd.grad(y.square().sum(), volume) for y in (actual, expected))
    )


@pytest.mark.parametrize(
    'arguments, value',
    [
        (dict(window=4), '4'),
        (dict(window=(3, 0)), r'\(3, 0\)'),
        (dict(window=3.0), r'3\.0'),
        (dict(temperature=0), '0'),
        (dict(temperature=-1.5), '-1.5'),
        (dict(temperature=float('nan')), 'nan'),
        (dict(dilation=0), '0'),
        (dict(window=(3, 5)), r'15 channels.* 3 x 5.*\(1, 9, 4, 4\)'),
        (dict(volume=torch.zeros(9)), r'\(9,\)'),
        (dict(volume=torch.zeros(1, 9, 2, dtype=torch.int64)), 'int64'),
    ],
)
def test_errors_name_the_value(arguments, value):
    with pytest.raises(ValueError, match=value):
        soft_argmax(**{'volume': torch.zeros(1, 9, 4, 4), 'window': 3, **arguments})
