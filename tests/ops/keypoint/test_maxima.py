"""Maxima by each implementation: what they make of odd sizes, threads and missing compilers."""

import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmaction_ext.ops import compiled, regional_key_points
from mmaction_ext.ops.keypoint import native
from mmaction_ext.ops.keypoint.maxima import chosen_implementation, region_maxima
from mmaction_ext.ops.keypoint.reference import maxima_reference

HAS_NATIVE = compiled.load(native._SOURCE) is not None
IMPLEMENTATIONS = ['portable', *(['native'] if HAS_NATIVE else [])]
INSTRUCTIONS = range(native._kernel()[1] + 1) if HAS_NATIVE else ()


def case(shape, side=2, sets=2, seed=0, levels=None):
    """Features, with ties if there are ``levels``, and the first pixels of regions."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=generator)
    if levels:
        x = (x * levels).round() / levels  # also zeros of both signs
    n, _, t, *sides = shape
    borders = []
    for size in sides:
        inner = torch.rand(n, sets, t, size - 1, generator=generator).argsort(-1)[..., : side - 1]
        edges = torch.tensor([0, size]).expand(n, sets, t, 2)
        borders.append(torch.cat((edges, inner + 1), -1).sort(-1).values)
    return x.requires_grad_(), *borders


def check(x, rows, columns, implementation):
    """Bit by bit with loops; the gradient in float64."""
    values, points = region_maxima(x, rows, columns, implementation)
    index = maxima_reference(x.detach(), rows, columns).permute(0, 4, 1, 2, 3)
    width = x.shape[-1]
    assert torch.equal(points, torch.stack((index // width, index % width), -1))
    wide = x.detach().double().requires_grad_()
    pixels = wide.permute(0, 2, 3, 4, 1).flatten(2, 3)
    expected = pixels.gather(2, index.flatten(2, 3)).view(values.shape)
    assert torch.equal(values.double(), expected)
    weight = torch.randn(values.shape)
    (grad,) = torch.autograd.grad(values, x, weight)
    (known,) = torch.autograd.grad(expected, wide, weight.double())
    torch.testing.assert_close(grad, known.float(), rtol=1e-5, atol=1e-5)


@pytest.fixture(params=INSTRUCTIONS)
def instructions(request, monkeypatch):
    """Whichever of the instruction sets of this machine."""
    kernel = native._kernel()
    monkeypatch.setattr(native, '_kernel', lambda: (kernel[0], request.param))


@pytest.mark.parametrize('channels', [1, 15, 16, 17, 65])
@pytest.mark.parametrize('layout', [torch.contiguous_format, torch.channels_last_3d])
def test_blocks_of_channels(instructions, channels, layout):
    x, rows, columns = case((2, channels, 2, 5, 7), 3, levels=1)
    check(x.detach().contiguous(memory_format=layout).requires_grad_(), rows, columns, 'native')


@settings(max_examples=25)
@given(
    shape=st.tuples(*(st.integers(1, top) for top in (3, 40, 3, 9, 9))),
    sets=st.integers(1, 3),
    levels=st.sampled_from([None, 1, 2]),
    threads=st.integers(1, 3),
    implementation=st.sampled_from(IMPLEMENTATIONS),
    data=st.data(),
)
def test_equal_loops_everywhere(shape, sets, levels, threads, implementation, data):
    side = data.draw(st.integers(1, min(4, *shape[3:])))
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        seed = data.draw(st.integers(0, 2**31))
        check(*case(shape, side, sets, seed, levels), implementation)
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize('implementation', IMPLEMENTATIONS)
def test_threads_serve_inference_mode(implementation):
    x, rows, columns = case((2, 3, 2, 5, 4))
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with torch.inference_mode():
            found = region_maxima(x, rows, columns, implementation)
    finally:
        torch.set_num_threads(before)
    assert all(map(torch.equal, found, region_maxima(x, rows, columns, implementation)))


@pytest.mark.parametrize('implementation', IMPLEMENTATIONS)
def test_values_do_not_depend_on_threads(implementation):
    """Bit for bit: no sum is made by two of them."""
    x, rows, columns = case((3, 5, 3, 9, 8), 3)
    before, found = torch.get_num_threads(), []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        values, points = region_maxima(x, rows, columns, implementation)
        found.append((values, points, *torch.autograd.grad(values.square().sum(), x)))
    torch.set_num_threads(before)
    for other in found[1:]:
        assert all(map(torch.equal, other, found[0]))


@pytest.mark.parametrize('implementation', IMPLEMENTATIONS)
@pytest.mark.parametrize(
    'arrange',
    [
        lambda x: x.flip(-1).flip(-1)[..., :5],
        lambda x: x.repeat_interleave(2, dim=-1)[..., ::2],
        lambda x: x.mT.contiguous().mT,
        lambda x: x[:1].expand(2, -1, -1, -1, -1),
        lambda x: x.to(memory_format=torch.channels_last_3d)[:, 1:],
    ],
)
def test_any_strides(implementation, arrange):
    x, rows, columns = case((2, 6, 3, 4, 5))
    x = arrange(x.detach())
    found = region_maxima(x, rows, columns, implementation)
    known = region_maxima(x.contiguous(), rows, columns, implementation)
    assert all(map(torch.equal, found, known))


@pytest.mark.parametrize('implementation', IMPLEMENTATIONS)
@pytest.mark.parametrize('empty', [0, 1, 2])
def test_nothing_gives_nothing(implementation, empty):
    shape = [2, 3, 4, 5, 5]
    shape[empty] = 0
    x, rows, columns = case(shape)
    values, _ = region_maxima(x, rows, columns, implementation)
    assert values.numel() == 0
    assert torch.autograd.grad(values.sum(), x)[0].shape == x.shape


@pytest.mark.parametrize('implementation', IMPLEMENTATIONS)
def test_a_nan_is_found_where_it_comes_first(implementation):
    """Of its own region; others are what they are without it."""
    x, rows, columns = case((1, 20, 2, 6, 6), 2, sets=1)
    x = x.detach()
    known = region_maxima(x, rows, columns, implementation)
    first = x.clone()
    first[:, 3, 1, 0, 0] = float('nan')
    values, points = region_maxima(first, rows, columns, implementation)
    assert values[0, 1, 0, 0, 3].isnan() and points[0, 1, 0, 0, 3].tolist() == [0, 0]
    values[0, 1, 0, 0, 3], points[0, 1, 0, 0, 3] = known[0][0, 1, 0, 0, 3], known[1][0, 1, 0, 0, 3]
    assert torch.equal(values, known[0]) and torch.equal(points, known[1])
    later = x.clone()
    row, column = rows[0, 0, 1, 1], columns[0, 0, 1, 1]
    later[0, 3, 1, row:, column:] = float('nan')
    later[0, 3, 1, row, column] = -9
    values, points = region_maxima(later, rows, columns, implementation)
    assert values[0, 1, 0, 3, 3] == -9
    assert points[0, 1, 0, 3, 3].tolist() == [row, column]


@pytest.mark.parametrize('dtype', [torch.float64, torch.float32, torch.bfloat16, torch.half])
def test_auto_takes_every_dtype(dtype):
    x, rows, columns = case((2, 3, 2, 5, 5), levels=2)
    values, points = region_maxima(x.to(dtype), rows, columns, 'auto')
    known = region_maxima(x, rows, columns, 'portable')
    assert values.dtype == dtype
    assert torch.equal(values.float(), known[0]) and torch.equal(points, known[1])


def test_switched_off_the_portable_path_serves(monkeypatch):
    monkeypatch.setenv(compiled.SWITCH, '0')
    x, rows, columns = case((1, 3, 2, 5, 5))
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        found = region_maxima(x.detach(), rows, columns, 'auto')
    assert all(map(torch.equal, found, region_maxima(x.detach(), rows, columns, 'portable')))
    with pytest.raises(ValueError, match="'native' is not available: it could not be compiled"):
        region_maxima(x, rows, columns, 'native')


def test_without_a_compiler_one_line_tells_and_the_portable_path_serves(monkeypatch, tmp_path):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    monkeypatch.setenv('CC', '/nonexistent')
    monkeypatch.delenv(compiled.SWITCH, raising=False)
    compiled._load.cache_clear()
    x = torch.randn(1, 2, 2, 4, 4)
    lines = torch.tensor([0.0, 2, 4]).expand(1, 1, 2, 3)
    with pytest.warns(RuntimeWarning, match='no C compiler /nonexistent') as told:
        found = [regional_key_points(x, lines, lines) for _ in range(2)][1]
    compiled._load.cache_clear()
    assert len(told) == 1
    known = regional_key_points(x, lines, lines, 'reference')
    assert all(map(torch.equal, found, known))


def test_the_choice_can_be_asked_for():
    x = torch.zeros(1, 2, 3, 4, 4)
    assert chosen_implementation(x) == ('native' if HAS_NATIVE else 'portable')
    assert chosen_implementation(x, 'portable') == 'portable'
    assert chosen_implementation(x.double()) == 'portable'
    with pytest.raises(ValueError, match=r"'native' is not available: .*float64"):
        chosen_implementation(x.double(), 'native')
