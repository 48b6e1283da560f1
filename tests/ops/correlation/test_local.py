"""Local correlation: values, gradients, errors, and how it sits in PyTorch."""

import itertools
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from mmaction_ext.ops import local_correlation
from mmaction_ext.ops.correlation import gram, shifts

FAST = ('shifts', 'gram')
BORDERS = ('zeros', 'replicate', 'circular')
DCF_OFFSETS, DCF_DILATIONS = (-2, -1, 1, 2), (2, 1, 1, 2)


def brute_force(x, offsets, window, dilations, border, scale):
    """The docstring's equation in numpy, one output value at a time; shares no code."""
    n, _, frames, height, width = x.shape
    sides = (window, window) if isinstance(window, int) else window
    out = np.zeros((n, len(offsets), *sides, frames, height, width))
    for b, o, row, column, t, i, j in itertools.product(*map(range, out.shape)):
        u = t + offsets[o]
        if border == 'replicate':
            u = min(max(u, 0), frames - 1)
        elif border == 'circular':
            u %= frames
        y = i + dilations[o] * (row - sides[0] // 2)
        z = j + dilations[o] * (column - sides[1] // 2)
        if 0 <= u < frames and 0 <= y < height and 0 <= z < width:
            value = scale * (x[b, :, t, i, j] @ x[b, :, u, y, z])
            out[b, o, row, column, t, i, j] = value
    return out.reshape(n, -1, frames, height, width)


def numeric_case(shape, offsets, window, dilation, border):
    x = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    dilations = [dilation] * len(offsets) if isinstance(dilation, int) else dilation
    expected = brute_force(x.numpy(), offsets, window, dilations, border, shape[1] ** -0.5)
    return x, torch.from_numpy(expected)


@pytest.mark.parametrize('implementation', ['auto', 'reference', *FAST])
@pytest.mark.parametrize('border', BORDERS)
@pytest.mark.parametrize(
    'shape, offsets, window, dilation',
    [
        ((2, 3, 4, 5, 7), DCF_OFFSETS, 5, DCF_DILATIONS),
        ((1, 2, 3, 4, 4), (1,), 3, 2),
        ((1, 2, 3, 4, 4), (-1,), 3, 1),
        ((1, 2, 3, 3, 5), (-1, 0, 1), 3, 1),
        ((1, 1, 3, 4, 3), (-1, 1), 3, (1, 2)),  # no offset is the mirror image of another
        ((1, 2, 3, 3, 3), (1, 1, -1), 3, 1),  # one offset twice
        ((1, 2, 1, 3, 3), (-2, -1, 1, 2), 3, 1),  # a single frame
        ((1, 2, 2, 3, 3), (-5, 5, 3), 3, 1),  # steps longer than the clip
        ((2, 2, 3, 2, 1), DCF_OFFSETS, 5, DCF_DILATIONS),  # a map smaller than the window
        ((1, 2, 3, 1, 1), (-1, 1), 7, 3),
        ((1, 2, 3, 3, 3), (-1, 1), 1, 1),  # a window of one pixel
        ((1, 2, 3, 4, 5), DCF_OFFSETS, (3, 7), DCF_DILATIONS),  # wider than high, and the reverse
        ((1, 2, 3, 4, 5), DCF_OFFSETS, (5, 1), DCF_DILATIONS),
        ((2, 3, 3, 5, 4), (-2, -1, 0, 1, 2), 9, 1),  # SELFY's offsets and window
    ],
)
def test_equals_the_equation(implementation, border, shape, offsets, window, dilation):
    x, expected = numeric_case(shape, offsets, window, dilation, border)
    actual = local_correlation(x, offsets, window, dilation, border, implementation=implementation)
    torch.testing.assert_close(actual, expected)


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(*(st.integers(1, top) for top in (3, 3, 6, 9, 9))),
    steps=st.lists(st.tuples(st.integers(-4, 4), st.integers(1, 3)), min_size=1, max_size=5),
    window=st.tuples(*[st.sampled_from([1, 3, 5, 7])] * 2),
    border=st.sampled_from(BORDERS),
    implementation=st.sampled_from(FAST),
    seed=st.integers(0, 2**31),
)
def test_values_and_gradients_equal_the_reference(
    shape, steps, window, border, implementation, seed
):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, dtype=torch.float64, generator=generator, requires_grad=True)
    offsets, dilations = zip(*steps, strict=True)
    fast, slow = (
        local_correlation(x, offsets, window, dilations, border, implementation=name)
        for name in (implementation, 'reference')
    )
    torch.testing.assert_close(fast, slow)
    weight = torch.randn(fast.shape, dtype=torch.float64, generator=generator)
    torch.testing.assert_close(
        torch.autograd.grad(fast, x, weight), torch.autograd.grad(slow, x, weight)
    )


@pytest.mark.parametrize('implementation', FAST)
@pytest.mark.parametrize('border', BORDERS)
def test_gradcheck(border, implementation):
    x = torch.randn(1, 2, 3, 2, 3, dtype=torch.float64, requires_grad=True)
    torch.autograd.gradcheck(
        lambda y: local_correlation(
            y, DCF_OFFSETS, 3, DCF_DILATIONS, border, implementation=implementation
        ),
        x,
    )


@pytest.mark.parametrize('module, limit', [(shifts, 1), (shifts, 700), (gram, 1), (gram, 4000)])
def test_chunks_are_seamless(monkeypatch, module, limit):
    """One pair of frames in a chunk, and a few with a smaller last chunk."""
    x = torch.randn(3, 4, 5, 6, 5, dtype=torch.float64, requires_grad=True)
    name = module.__name__.rpartition('.')[2]
    whole = local_correlation(x, DCF_OFFSETS, 3, DCF_DILATIONS, implementation=name)
    weight = torch.randn_like(whole)
    expected = torch.autograd.grad(whole, x, weight)
    monkeypatch.setattr(module, '_CHUNK_ELEMENTS', limit)
    parts = local_correlation(x, DCF_OFFSETS, 3, DCF_DILATIONS, implementation=name)
    torch.testing.assert_close(parts, whole)
    torch.testing.assert_close(torch.autograd.grad(parts, x, weight), expected)


@pytest.mark.parametrize('step, dilation', [(1, 1), (2, 2), (-1, 1), (-2, 2)])
@pytest.mark.parametrize('dy, dx', [(0, 0), (1, -2), (-1, 0), (2, 2)])
def test_a_moved_texture_peaks_at_its_displacement(step, dilation, dy, dx):
    """Down and right are positive, for steps forward and, with the other sign, backward."""
    window, frames, size = 5, 4, 24
    sign = 1 if step > 0 else -1
    texture = torch.nn.functional.normalize(torch.randn(8, size, size), dim=0)
    x = torch.stack([torch.roll(texture, (t * dy, t * dx), (1, 2)) for t in range(frames)], 1)
    volume = local_correlation(x[None], (step,), window, dilation)[0]
    frame = 0 if step > 0 else frames - 1
    inner = volume[:, frame, 8:-8, 8:-8].argmax(0)
    # the texture moved by |step| * (dy, dx) pixels, which are sign * (dy, dx) dilated positions
    expected = (2 + sign * dy) * window + 2 + sign * dx
    assert torch.all(inner == expected)


@pytest.mark.parametrize('dy, dx', [(0, 4), (-1, -3), (1, 2)])
def test_a_rectangular_window_is_vertical_first(dy, dx):
    texture = torch.nn.functional.normalize(torch.randn(8, 24, 24), dim=0)
    x = torch.stack((texture, torch.roll(texture, (dy, dx), (1, 2))), dim=1)
    inner = local_correlation(x[None], (1,), (3, 9))[0, :, 0, 8:-8, 8:-8].argmax(0)
    assert torch.all(inner == (1 + dy) * 9 + 4 + dx)


def test_scale_is_one_over_the_root_of_the_channels():
    x = torch.ones(1, 16, 2, 1, 1)
    assert local_correlation(x, (1,), 1)[0, 0, 0, 0, 0] == pytest.approx(16 / 4)
    assert local_correlation(x, (1,), 1, scale=0.5)[0, 0, 0, 0, 0] == pytest.approx(16 / 2)


@pytest.mark.parametrize('implementation', FAST)
@pytest.mark.parametrize(
    'arrange',
    [
        lambda x: x.to(memory_format=torch.channels_last_3d),
        lambda x: x.transpose(1, 2).contiguous().transpose(1, 2),
        lambda x: x.flip(-1).flip(-1)[..., :5],
        lambda x: x.repeat_interleave(2, dim=-1)[..., ::2],
    ],
)
def test_any_strides(arrange, implementation):
    x = torch.randn(2, 3, 4, 6, 5, dtype=torch.float64)
    arranged = arrange(x).requires_grad_()
    x.requires_grad_()
    expected, actual = (
        local_correlation(y, DCF_OFFSETS, 3, DCF_DILATIONS, implementation=implementation)
        for y in (x, arranged)
    )
    torch.testing.assert_close(actual, expected)
    weight = torch.randn_like(actual)
    torch.testing.assert_close(
        torch.autograd.grad(actual, arranged, weight)[0],
        torch.autograd.grad(expected, x, weight)[0],
    )


@pytest.mark.parametrize('autocast', [False, True])
@pytest.mark.parametrize('implementation', FAST)
@pytest.mark.parametrize('dtype', [torch.half, torch.bfloat16])
def test_half_precision_is_computed_in_single_and_rounded_once(dtype, implementation, autocast):
    x = torch.randn(2, 64, 4, 5, 5).to(dtype).requires_grad_()
    single = x.detach().float().requires_grad_()
    with torch.autocast('cpu', dtype, enabled=autocast):
        y = local_correlation(x, DCF_OFFSETS, 5, DCF_DILATIONS, implementation=implementation)
    expected = local_correlation(
        single, DCF_OFFSETS, 5, DCF_DILATIONS, implementation=implementation
    )
    assert torch.equal(y, expected.to(dtype))
    weight = torch.randn_like(y)
    y.backward(weight)
    expected.backward(weight.float())
    assert torch.equal(x.grad, single.grad.to(dtype))


def test_ints_of_numpy_are_ints():
    x = torch.randn(1, 2, 4, 5, 5)
    offsets, window, dilation = np.array([-1, 2]), np.array([3, 5]), np.array([1, 2])
    expected = local_correlation(x, (-1, 2), (3, 5), (1, 2))
    assert torch.equal(local_correlation(x, offsets, window, dilation), expected)
    expected = local_correlation(x, (1,), 3, 2)
    assert torch.equal(local_correlation(x, (1,), np.int64(3), np.int32(2)), expected)


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_keeps_the_dtype(dtype):
    assert local_correlation(torch.ones(1, 1, 2, 2, 2, dtype=dtype), (1,)).dtype == dtype


@pytest.mark.parametrize('implementation', FAST)
def test_no_clips(implementation):
    x = torch.empty(0, 3, 4, 5, 5, requires_grad=True)
    y = local_correlation(x, DCF_OFFSETS, 5, DCF_DILATIONS, implementation=implementation)
    assert y.shape == (0, 100, 4, 5, 5)
    y.sum().backward()
    assert x.grad.shape == x.shape


@pytest.mark.parametrize(
    'arguments, value',
    [
        (dict(offsets=()), 'none'),
        (dict(offsets=(1, 1.7)), r'offsets.*\(1, 1\.7\)'),
        (dict(offsets=('1',)), r"offsets.*\('1',\)"),
        (dict(offsets=2), 'offsets.* 2'),
        (dict(window=3.0), r'3\.0'),
        (dict(dilation=(1, 1.5)), r'dilation.*\(1, 1\.5\)'),
        (dict(dilation=2.0), r'dilation.* 2\.0'),
        (dict(window=4), '4'),
        (dict(window=0), '0'),
        (dict(window=-3), '-3'),
        (dict(window=(5, 2)), r'\(5, 2\)'),
        (dict(window=(3, 3, 3)), r'\(3, 3, 3\)'),
        (dict(dilation=0), '0'),
        (dict(dilation=(1, 2, 3)), '3 for 2'),
        (dict(clip_border='reflect'), "'reflect'"),
        (dict(implementation='magic'), "'magic'"),
        (dict(x=torch.zeros(2, 3, 4, 4)), r'\(2, 3, 4, 4\)'),
        (dict(x=torch.zeros(1, 2, 3, 4, 4, dtype=torch.int64)), 'int64'),
        (dict(x=torch.zeros(1, 0, 3, 4, 4)), r'\(1, 0, 3, 4, 4\)'),
    ],
)
def test_errors_name_the_value(arguments, value):
    with pytest.raises(ValueError, match=value):
        local_correlation(**{'x': torch.zeros(1, 2, 3, 4, 4), 'offsets': (-1, 1), **arguments})


@pytest.mark.parametrize('implementation', FAST)
def test_operator_contract(implementation):
    """Schema, shape rule and gradient agree with what the kernel does (PyTorch's own check)."""
    x = torch.randn(2, 3, 4, 5, 5, requires_grad=True)
    arguments = (list(DCF_OFFSETS), [3, 5], list(DCF_DILATIONS), 'zeros', 0.5, implementation)
    torch.library.opcheck(torch.ops.mmaction_ext.local_correlation, (x, *arguments))
    grad = torch.randn(2, 60, 4, 5, 5)
    torch.library.opcheck(
        torch.ops.mmaction_ext.local_correlation_backward, (grad, x.detach(), *arguments)
    )


def test_meta_device():
    x = torch.empty(2, 3, 4, 5, 6, device='meta', requires_grad=True)
    y = local_correlation(x, DCF_OFFSETS, (3, 5), DCF_DILATIONS)
    assert y.shape == (2, 60, 4, 5, 6) and y.device.type == 'meta'
    y.sum().backward()
    assert x.grad.shape == x.shape


def test_flops_are_those_of_equation_2():
    n, channels, frames, height, width = shape = (2, 3, 4, 5, 6)
    x = torch.randn(shape, requires_grad=True)
    forward = 2 * frames * height * width * channels * (5 * 7 * 2 * 2) * n
    with FlopCounterMode(display=False) as counter:
        y = local_correlation(x, DCF_OFFSETS, (5, 7), DCF_DILATIONS)
    assert counter.get_total_flops() == forward
    with FlopCounterMode(display=False) as counter:
        y.sum().backward()
    assert counter.get_total_flops() == 2 * forward


def test_backward_keeps_only_the_input():
    saved = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda t: saved.append(t.shape) or t, lambda t: t
    ):
        local_correlation(torch.randn(1, 2, 3, 4, 4, requires_grad=True), (-1, 1))
    assert saved == [(1, 2, 3, 4, 4)]


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
    def loss(y):
        return local_correlation(y * 2, DCF_OFFSETS, 3, DCF_DILATIONS).square().sum()

    x = torch.randn(2, 3, 4, 5, 5, requires_grad=True)
    expected = torch.autograd.grad(loss(x), x)
    torch.testing.assert_close(
        torch.autograd.grad(torch.compile(loss, fullgraph=True, backend=backend)(x), x), expected
    )
