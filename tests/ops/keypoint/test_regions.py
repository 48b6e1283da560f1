"""Key points and means: values, gradients, errors, and how they sit in PyTorch."""

import itertools
import shutil

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from mmaction_ext.ops import compiled, regional_key_points, regional_mean, soft_key_points
from mmaction_ext.ops.keypoint import native

IMPLEMENTATIONS = ['portable', *(['native'] if compiled.load(native._SOURCE) else [])]


def borders(n, g, t, side, size, generator=None, dtype=torch.float32):
    """Even grids with their inner lines moved, also too far."""
    even = torch.arange(side + 1, dtype=dtype) * size / side
    bias = torch.randn(n, g, t, 1, dtype=dtype, generator=generator) * size / 4
    return even + bias * (torch.arange(side + 1) % side > 0)


def case(shape, side, sets=2, seed=0, dtype=torch.float32, levels=None):
    """Features, with ties and zeros of both signs if there are ``levels``, and borders."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=generator, dtype=dtype)
    if levels:
        x = (x * levels).round() / levels
    n, _, t, h, w = shape
    return x, *(borders(n, sets, t, side, size, generator, dtype) for size in (h, w))


@settings(max_examples=60)
@given(
    n=st.integers(1, 2),
    c=st.integers(1, 3),
    t=st.integers(1, 2),
    side=st.integers(1, 4),
    more=st.tuples(st.integers(0, 6), st.integers(0, 6)),
    sets=st.integers(1, 2),
    levels=st.sampled_from([None, 1, 2]),
    seed=st.integers(0, 2**31),
    implementation=st.sampled_from(IMPLEMENTATIONS),
)
def test_equal_the_reference(n, c, t, side, more, sets, levels, seed, implementation):
    """Bit by bit where something is chosen, also among equal values and zeros of both signs."""
    shape = (n, c, t, side + more[0], side + more[1])
    arguments = case(shape, side, sets, seed, levels=levels)
    points, values = regional_key_points(*arguments, implementation)
    expected_points, expected_values = regional_key_points(*arguments, implementation='reference')
    assert torch.equal(points, expected_points)
    assert torch.equal(values, expected_values)
    for whole_pixels in (True, False):
        torch.testing.assert_close(
            regional_mean(*arguments, whole_pixels),
            regional_mean(*arguments, whole_pixels, implementation='reference'),
            rtol=1e-5,
            atol=1e-6,
        )


def test_by_hand():
    """Coordinates are (row, column); regions count by rows; zeros of either sign are equal."""
    x = torch.tensor([[4.0, 1, -0.0], [2, 3, 0], [0, 9, -0.0]]).view(1, 1, 1, 3, 3)
    lines = torch.tensor([0, 2.0, 3]).view(1, 1, 1, 3)
    points, values = regional_key_points(x, lines, lines)
    assert points.view(4, 2).tolist() == [[0, 0], [0, 2], [2, 1], [2, 2]]
    assert values.flatten().tolist() == [4, 0, 9, 0]
    assert regional_mean(x, lines, lines).flatten().tolist() == [2.5, 0, 4.5, 0]


@pytest.mark.parametrize('implementation', [*IMPLEMENTATIONS, 'reference'])
def test_the_sign_of_a_zero_does_not_count(implementation):
    x = torch.tensor([-1, -0.0, 0.0, -0.0]).view(1, 1, 1, 1, 4)
    edges = torch.tensor([0.0, 9]).view(1, 1, 1, 2)
    points, _ = regional_key_points(x, edges, edges, implementation)
    assert points.flatten().tolist() == [0, 1]


@pytest.mark.parametrize('implementation', [*IMPLEMENTATIONS, 'reference'])
def test_infinite_values_are_found(implementation):
    x = torch.full((1, 1, 1, 2, 2), float('-inf'))
    edges = torch.tensor([0.0, 2]).view(1, 1, 1, 2)
    assert regional_key_points(x, edges, edges, implementation)[0].flatten().tolist() == [0, 0]
    x[0, 0, 0, 1, 0] = float('inf')
    assert regional_key_points(x, edges, edges, implementation)[0].flatten().tolist() == [1, 0]


@pytest.mark.parametrize('side', [1, 2, 3, 4])
def test_area_mean_equals_the_mean_of_whole_pixels_on_whole_borders(side):
    x, rows, columns = case((2, 3, 2, 7, 9), side)
    rows, columns = rows.round(), columns.round()
    assert torch.equal(
        regional_mean(x, rows, columns, whole_pixels=False),
        regional_mean(x, rows, columns, whole_pixels=True),
    )


@pytest.mark.parametrize('side', [2, 3])
def test_regions_weighted_by_their_areas_give_the_mean_of_the_map(side):
    rows, columns = (
        torch.tensor(lines, dtype=torch.float64).view(1, 1, 1, -1)
        for lines in ([0, 1.3, 4.6, 7][:side] + [7], [0, 2.5, 3.75, 5][:side] + [5])
    )
    x = torch.randn(1, 2, 1, 7, 5, dtype=torch.float64)
    means = regional_mean(x, rows, columns)[0, 0, :, :, 0]
    areas = (rows.diff().flatten()[:, None] * columns.diff().flatten()).flatten()
    torch.testing.assert_close((areas[:, None] * means).sum(0) / 35, x.mean((2, 3, 4))[0])


@pytest.mark.parametrize('whole_pixels', [True, False])
def test_gradcheck_of_the_mean(whole_pixels):
    x, rows, columns = case((1, 2, 2, 4, 5), 2, dtype=torch.float64)
    rows, columns = rows.clamp(1.2, 2.7), columns.clamp(1.3, 3.6)  # where there is no kink
    inputs = [x.requires_grad_()]
    if not whole_pixels:
        inputs += [rows.requires_grad_(), columns.requires_grad_()]
    torch.autograd.gradcheck(
        lambda *given: regional_mean(*given, *(rows, columns)[len(given) - 1 :], whole_pixels),
        inputs,
    )


def test_gradcheck_of_key_points():
    x, rows, columns = case((1, 2, 2, 4, 5), 2, dtype=torch.float64)
    torch.autograd.gradcheck(
        lambda y: regional_key_points(y, rows, columns)[1], x.requires_grad_()
    )
    single = x.detach().float().requires_grad_()
    regional_key_points(single, rows, columns)[1].sum().backward()
    regional_key_points(x, rows, columns)[1].sum().backward()
    assert torch.equal(single.grad, x.grad.float())


def test_gradient_of_a_value_goes_to_its_pixel():
    x = torch.tensor([[1.0, 2], [2, 0]]).view(1, 1, 1, 2, 2).requires_grad_()
    edges = torch.tensor([0.0, 2]).expand(1, 3, 1, 2)  # three sets of one region
    points, values = regional_key_points(x, edges, edges)
    values.sum().backward()
    assert x.grad.flatten().tolist() == [0, 3, 0, 0]
    assert not points.requires_grad


def test_key_points_and_whole_pixels_give_borders_no_gradient():
    x, rows, columns = case((1, 1, 1, 4, 4), 2)
    rows.requires_grad_()
    assert not regional_key_points(x, rows, columns)[1].requires_grad
    assert not regional_mean(x, rows, columns, whole_pixels=True).requires_grad
    assert regional_mean(x, rows, columns).requires_grad


def test_gradcheck_of_soft_key_points():
    x, rows, columns = case((1, 2, 1, 4, 5), 2, dtype=torch.float64)
    rows, columns = rows.clamp(1.2, 2.7), columns.clamp(1.3, 3.6)
    torch.autograd.gradcheck(
        lambda *given: soft_key_points(*given, temperature=0.5),
        [y.requires_grad_() for y in (x, rows, columns)],
    )


def soft_by_loops(x, rows, columns, temperature):
    """The docstring's expectation, one region after the other; whole borders."""
    points, values = [], []
    temperature = temperature * (x.max() - x.mean())
    for top, bottom in itertools.pairwise(rows):
        for left, right in itertools.pairwise(columns):
            region = x[top:bottom, left:right]
            weights = (region.flatten() / temperature).softmax(0).view_as(region)
            points.append(
                [
                    (weights.sum(1) * torch.arange(top, bottom)).sum(),
                    (weights.sum(0) * torch.arange(left, right)).sum(),
                ]
            )
            values.append((weights * region).sum())
    return torch.tensor(points, dtype=x.dtype), torch.stack(values)


@pytest.mark.parametrize('temperature', [0.05, 0.3, 5])
def test_soft_key_points_are_expectations(temperature):
    rows, columns = [0, 2, 3, 6], [0, 1, 4, 5]
    x = torch.randn(6, 5, dtype=torch.float64) / 2
    lines = [torch.tensor(side, dtype=torch.float64).view(1, 1, 1, -1) for side in (rows, columns)]
    points, values = soft_key_points(x.view(1, 1, 1, 6, 5), *lines, temperature)
    expected_points, expected_values = soft_by_loops(x, rows, columns, temperature)
    torch.testing.assert_close(points.view(9, 2), expected_points)
    torch.testing.assert_close(values.flatten(), expected_values)


def test_cold_soft_key_points_are_the_hard_ones():
    x, rows, columns = case((2, 3, 2, 8, 8), 3)
    rows, columns = rows.round(), columns.round()
    x = torch.rand(x.shape) / 2
    peaks, _ = regional_key_points(x, rows[:, :1], columns[:, :1])
    flat = (peaks[:, 0, ..., 0] * 8 + peaks[:, 0, ..., 1]).permute(0, 2, 3, 1)
    x = x.flatten(3).scatter_add(3, flat, torch.ones(flat.shape)).view_as(x)
    found = regional_key_points(x, rows[:, :1], columns[:, :1])
    soft = soft_key_points(x, rows[:, :1], columns[:, :1], 0.02)
    torch.testing.assert_close(soft[0], found[0].float(), rtol=0, atol=1e-4)
    torch.testing.assert_close(soft[1], found[1], rtol=0, atol=1e-4)


def test_soft_key_points_stay_finite_far_below_the_maximum():
    x = torch.zeros(1, 1, 1, 4, 4)
    x[0, 0, 0, 0, 0] = 1e4
    lines = torch.tensor([0, 2.0, 4]).view(1, 1, 1, 3)
    for temperature in (0.1, 1e-4):
        points, values = soft_key_points(x, lines, lines, temperature)
        expected = torch.tensor([[0, 0], [0.5, 2.5], [2.5, 0.5], [2.5, 2.5]])
        torch.testing.assert_close(points.view(4, 2), expected, rtol=0, atol=1e-3)
        torch.testing.assert_close(
            values.flatten(), torch.tensor([1e4, 0, 0, 0]), rtol=1e-3, atol=0
        )


def test_soft_key_points_of_an_even_map_are_in_the_middle():
    x = torch.full((1, 1, 1, 4, 4), 3.0, requires_grad=True)
    lines = torch.tensor([0, 2.0, 4]).view(1, 1, 1, 3)
    points, values = soft_key_points(x, lines, lines, 0.1)
    assert points.view(4, 2).tolist() == [[0.5, 0.5], [0.5, 2.5], [2.5, 0.5], [2.5, 2.5]]
    values.sum().backward()
    assert torch.isfinite(x.grad).all()


@pytest.mark.parametrize('value', [0.1, 3.0, -7.0, 1e-3, 0.0])
@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_gradients_on_an_even_map_are_bounded(value, dtype):
    """In proportion to one over the values, as the operation knows no scale: at most, pixels weigh
    1 / (temperature * 1 %) of the value differently, times the 6 pixels they may be apart."""
    x = torch.full((1, 1, 1, 7, 7), value, dtype=dtype)
    x += abs(value) * 1e-6 * torch.randn(7, 7, dtype=dtype)  # and nearly even
    lines = torch.tensor([0, 3.4, 7], dtype=dtype).view(1, 1, 1, 3)
    for features in (x, torch.full_like(x, value)):
        features.requires_grad_()
        points, values = soft_key_points(features, lines, lines, 0.1)
        for part, unit in ((points, 6), (values, 1 + abs(value))):
            (gradient,) = torch.autograd.grad(part.abs().sum(), features, retain_graph=True)
            assert gradient.abs().max() <= 8 * unit / (0.1 * 0.01 * (abs(value) or 100))


@pytest.mark.parametrize('scale', [1e-4, 1e4])
def test_soft_key_points_know_no_scale(scale):
    x, rows, columns = case((1, 3, 2, 6, 6), 2)
    points, values = soft_key_points(x, rows, columns, 0.1)
    scaled_points, scaled_values = soft_key_points(x * scale, rows, columns, 0.1)
    torch.testing.assert_close(scaled_points, points, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(scaled_values, values * scale, rtol=1e-4, atol=1e-4 * scale)


OPERATIONS = {
    'key_points': lambda *given: regional_key_points(*given)[1],
    'mean': regional_mean,
    'soft': lambda *given: soft_key_points(*given, temperature=0.5)[0],
}


@pytest.mark.parametrize('operation', OPERATIONS.values(), ids=OPERATIONS)
@pytest.mark.parametrize(
    'arrange',
    [
        lambda x: x.to(memory_format=torch.channels_last_3d),
        lambda x: x.transpose(1, 2).contiguous().transpose(1, 2),
        lambda x: x.flip(-1).flip(-1)[..., :5],
        lambda x: x.repeat_interleave(2, dim=-1)[..., ::2],
    ],
)
def test_any_strides(operation, arrange):
    x, rows, columns = case((2, 3, 4, 6, 5), 2)
    arranged = arrange(x).requires_grad_()
    x.requires_grad_()
    expected, actual = operation(x, rows, columns), operation(arranged, rows, columns)
    torch.testing.assert_close(actual, expected)
    weight = torch.randn_like(actual)
    torch.testing.assert_close(
        torch.autograd.grad(actual, arranged, weight)[0],
        torch.autograd.grad(expected, x, weight)[0],
    )


@pytest.mark.parametrize('dtype', [torch.half, torch.bfloat16])
def test_half_precision(dtype):
    """Chosen exactly, summed in single precision and rounded once."""
    x, rows, columns = case((2, 8, 2, 9, 9), 2)
    x = x.to(dtype).requires_grad_()
    single = x.detach().float().requires_grad_()
    points, values = regional_key_points(x, rows, columns)
    assert torch.equal(points, regional_key_points(single, rows, columns)[0])
    assert values.dtype == dtype
    mean, expected = regional_mean(x, rows, columns), regional_mean(single, rows, columns)
    assert torch.equal(mean, expected.to(dtype))
    mean.sum().backward()
    expected.sum().backward()
    assert x.grad.dtype == dtype
    torch.testing.assert_close(x.grad, single.grad.to(dtype))


def test_autocast_changes_nothing():
    x, rows, columns = case((2, 8, 2, 9, 9), 2)
    expected = regional_mean(x, rows, columns)
    with torch.autocast('cpu', torch.bfloat16):
        assert torch.equal(regional_mean(x, rows, columns), expected)
        y = x.clone().requires_grad_()
        regional_mean(y, rows, columns).sum().backward()
    z = x.clone().requires_grad_()
    regional_mean(z, rows, columns).sum().backward()
    assert torch.equal(y.grad, z.grad)


@pytest.mark.parametrize('operation', OPERATIONS.values(), ids=OPERATIONS)
def test_no_clips(operation):
    x = torch.empty(0, 3, 4, 5, 5, requires_grad=True)
    lines = torch.empty(0, 2, 4, 3)
    operation(x, lines, lines).sum().backward()
    assert x.grad.shape == x.shape


@pytest.mark.parametrize('operation', OPERATIONS.values(), ids=OPERATIONS)
@pytest.mark.parametrize(
    'shape, row_shape, column_shape, value',
    [
        ((1, 2, 3, 2, 3), (1, 1, 3, 4), (1, 1, 3, 4), '2x3 pixels.*3x3 regions'),
        ((1, 2, 3, 4, 4), (1, 1, 2, 3), (1, 1, 3, 3), r'row_borders.*\(1, 1, 2, 3\)'),
        ((1, 2, 3, 4, 4), (1, 1, 3, 3), (2, 1, 3, 3), r'column_borders.*\(2, 1, 3, 3\)'),
        ((1, 2, 3, 4, 4), (1, 1, 3, 3), (1, 2, 3, 3), r'\(1, 1, 3, 3\).*\(1, 2, 3, 3\)'),
        ((1, 2, 3, 4, 4), (1, 1, 3, 1), (1, 1, 3, 1), r'\(1, 1, 3, 1\)'),
        ((2, 3, 4, 4), (1, 1, 3, 3), (1, 1, 3, 3), r'\(2, 3, 4, 4\)'),
    ],
)
def test_errors_name_the_value(operation, shape, row_shape, column_shape, value):
    with pytest.raises(ValueError, match=value):
        operation(torch.zeros(shape), torch.zeros(row_shape), torch.zeros(column_shape))


def test_errors_name_other_values():
    x, lines = torch.zeros(1, 1, 1, 4, 4), torch.zeros(1, 1, 1, 3)
    with pytest.raises(ValueError, match='int64'):
        regional_mean(x.long(), lines, lines)
    with pytest.raises(ValueError, match="'magic'"):
        regional_key_points(x, lines, lines, implementation='magic')
    with pytest.raises(ValueError, match=r"'auto', 'portable', .*'native'"):
        regional_mean(x, lines, lines, implementation='native')
    with pytest.raises(ValueError, match=r"'native'.*float64"):
        regional_key_points(x.double(), lines, lines, implementation='native')
    for temperature in (0, -1, float('nan')):
        with pytest.raises(ValueError, match=str(temperature)):
            soft_key_points(x, lines, lines, temperature)


@pytest.mark.parametrize('implementation', IMPLEMENTATIONS)
def test_contract_of_maxima(implementation):
    """Schemas, shape rules and gradients agree with what the kernels do (PyTorch's own check)."""
    ops = torch.ops.mmaction_ext
    x = torch.randn(2, 3, 4, 5, 5, requires_grad=True)
    rows = torch.tensor([0, 2, 5]).expand(2, 3, 4, 3).contiguous()
    torch.library.opcheck(ops.region_maxima, (x, rows, rows, implementation))
    values, points = ops.region_maxima(x.detach(), rows, rows, implementation)
    torch.library.opcheck(ops.region_maxima_backward, (values, points, rows, 5, 5, implementation))


def test_contract_of_sums():
    ops = torch.ops.mmaction_ext
    shapes = (2, 3, 4, 5, 2), (2, 4, 6, 2, 5), (2, 4, 6, 2, 2)
    x, rows, columns = (torch.randn(shape, requires_grad=True) for shape in shapes)
    torch.library.opcheck(ops.region_sums, (x, rows, columns, 'portable'))
    x, rows, columns = x.detach(), rows.detach(), columns.detach()
    grad = torch.randn(2, 4, 6, 4, 3)
    for dtype in (torch.float32, torch.bfloat16):
        torch.library.opcheck(ops.region_sums_backward_x, (grad, rows, columns, dtype, 'portable'))
    torch.library.opcheck(ops.region_sums_backward_shares, (grad, x, rows, columns))


@pytest.mark.parametrize('operation', OPERATIONS.values(), ids=OPERATIONS)
def test_meta_device(operation):
    x = torch.empty(2, 3, 4, 5, 6, device='meta', requires_grad=True)
    lines = torch.empty(2, 2, 4, 3, device='meta')
    y = operation(x, lines, lines)
    assert y.shape[:5] == (2, 2, 4, 3, 4) and y.device.type == 'meta'
    y.sum().backward()
    assert x.grad.shape == x.shape


@pytest.mark.parametrize('operation', OPERATIONS.values(), ids=OPERATIONS)
def test_pooling_counts_no_multiply_adds(operation):
    x, rows, columns = case((2, 3, 2, 8, 8), 2)
    with FlopCounterMode(display=False) as counter:
        operation(x.requires_grad_(), rows.requires_grad_(), columns).sum().backward()
    assert counter.get_total_flops() == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    'backend',
    [
        'aot_eager',
        pytest.param(
            'inductor', marks=pytest.mark.skipif(not shutil.which('g++'), reason='there is no g++')
        ),
    ],
)
@pytest.mark.parametrize('operation', OPERATIONS.values(), ids=OPERATIONS)
def test_compiles_without_a_graph_break(operation, backend):
    x, rows, columns = case((2, 3, 4, 7, 7), 2)

    def loss(y):
        return operation(y * 2, rows, columns).square().sum()

    x.requires_grad_()
    expected = torch.autograd.grad(loss(x), x)
    torch.testing.assert_close(
        torch.autograd.grad(torch.compile(loss, fullgraph=True, backend=backend)(x), x),
        expected,
        rtol=1e-4,
        atol=1e-4,
    )
