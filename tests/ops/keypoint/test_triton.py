"""The kernels for GPUs, run by Triton's interpreter on the CPU.

What the interpreter cannot show (registers, spills, bytes moved) stands in
``reports/benchmarks/triton_static.csv``.
"""

import sys

import pytest
import torch

from mmaction_ext.ops import launch, regional_key_points, regional_mean
from mmaction_ext.ops.keypoint import triton
from mmaction_ext.ops.keypoint.maxima import region_maxima

pytestmark = [
    pytest.mark.skipif(
        not launch.is_installed(), reason='triton comes with torch for CUDA, on Linux'
    ),
    pytest.mark.usefixtures('interpreter'),
]


@pytest.fixture(scope='module')
def interpreter():
    """Kernels are interpreted, whether or not Triton was imported before."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('TRITON_INTERPRET', '1')
        patch.delitem(sys.modules, triton._MODULE, raising=False)
        yield
    sys.modules.pop(triton._MODULE, None)


def case(shape, side, sets=1, dtype=torch.float32):
    """Features with ties and zeros of both signs, and borders that cut pixels."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(shape, generator=generator).round().to(dtype)
    n, _, t, *sides = shape
    lines = [
        torch.rand(n, sets, t, side + 1, generator=generator).sort(-1).values * size
        for size in sides
    ]
    return x, *lines


CASES = [
    ((2, 3, 2, 5, 4), 2, torch.float32),
    ((1, 5, 1, 3, 11), 3, torch.float32),
    ((1, 17, 1, 4, 17), 4, torch.float32),  # a last block of columns that is not whole
    ((1, 130, 1, 2, 2), 1, torch.float32),  # and of channels
    ((1, 3, 2, 4, 5), 2, torch.bfloat16),
    ((1, 3, 2, 4, 5), 2, torch.float16),
]


@pytest.mark.parametrize('shape, side, dtype', CASES)
def test_maxima_equal_those_of_the_cpu_bit_by_bit(shape, side, dtype):
    x, rows, columns = case(shape, side, sets=2, dtype=dtype)
    found = []
    for implementation in ('triton', 'portable'):
        leaf = x.clone().requires_grad_()
        points, values = regional_key_points(leaf, rows, columns, implementation)
        weight = torch.arange(values.numel(), dtype=dtype).remainder(7).view(values.shape) - 3
        found.append((points, values, *torch.autograd.grad(values, leaf, weight)))
    assert all(map(torch.equal, *found))


@pytest.mark.parametrize('whole_pixels', [True, False])
@pytest.mark.parametrize('shape, side, dtype', CASES)
def test_means_equal_the_loops(shape, side, dtype, whole_pixels):
    x, rows, columns = case(shape, side, dtype=dtype)
    leaf, wide = x.clone().requires_grad_(), x.double().requires_grad_()
    mean = regional_mean(leaf, rows, columns, whole_pixels, 'triton')
    known = regional_mean(wide, rows.double(), columns.double(), whole_pixels, 'reference')
    tolerance = dict(rtol=max(1e-5, torch.finfo(dtype).eps), atol=1e-5)
    torch.testing.assert_close(mean, known.to(dtype), **tolerance)
    weight = torch.arange(mean.numel()).remainder(7).view(mean.shape) - 3
    (grad,) = torch.autograd.grad(mean, leaf, weight.to(dtype))
    (expected,) = torch.autograd.grad(known, wide, weight.double())
    torch.testing.assert_close(grad, expected.to(dtype), **tolerance)


def test_borders_get_gradients():
    x, *lines = case((1, 3, 2, 5, 4), 2)
    found = []
    for implementation in ('triton', 'portable'):
        leaves = [line.clone().requires_grad_() for line in lines]
        mean = regional_mean(x, *leaves, implementation=implementation)
        found.append(torch.autograd.grad(mean.square().sum(), leaves))
    torch.testing.assert_close(*found)


@pytest.mark.parametrize(
    'arrange',
    [
        lambda x: x.to(memory_format=torch.channels_last_3d),
        lambda x: x.repeat_interleave(2, dim=-1)[..., ::2],
        lambda x: x.mT.contiguous().mT,
        lambda x: x[:1].expand(2, -1, -1, -1, -1),
    ],
)
def test_any_strides(arrange):
    x, rows, columns = case((2, 3, 1, 3, 4), 2)
    x = arrange(x)
    plain = x.contiguous()
    found, known = (regional_key_points(each, rows, columns, 'triton') for each in (x, plain))
    assert all(map(torch.equal, found, known))
    assert torch.equal(
        regional_mean(x, rows, columns, implementation='triton'),
        regional_mean(plain, rows, columns, implementation='triton'),
    )


@pytest.mark.parametrize('place', [(0, 0), (0, 2), (1, 1), (slice(None), slice(None))])
@pytest.mark.parametrize('value', [float('nan'), float('-inf')])
def test_what_is_no_number_is_found_as_on_the_cpu(place, value):
    x, _, _ = case((1, 2, 1, 4, 6), 2)
    x[0, 0, 0][place] = value
    x[0, 1] = float('-inf')
    x[0, 1, 0][place] = value
    rows = torch.tensor([0, 2, 4]).view(1, 1, 1, 3)
    columns = torch.tensor([0, 3, 6]).view(1, 1, 1, 3)
    found, known = (region_maxima(x, rows, columns, by) for by in ('triton', 'portable'))
    torch.testing.assert_close(found, known, rtol=0, atol=0, equal_nan=True)


def test_no_clips():
    x = torch.empty(0, 3, 2, 4, 4, requires_grad=True)
    lines = torch.empty(0, 2, 2, 3)
    both = (
        regional_key_points(x, lines, lines, 'triton')[1],
        regional_mean(x, lines, lines, implementation='triton'),
    )
    (grad,) = torch.autograd.grad([each.sum() for each in both], x)
    assert grad.shape == x.shape


def test_double_precision_is_refused_by_name():
    x, rows, columns = case((1, 1, 1, 2, 2), 1)
    with pytest.raises(ValueError, match=r"'triton' is not available.*float64"):
        regional_key_points(x.double(), rows, columns, 'triton')
    with pytest.raises(ValueError, match=r"'triton' is not available.*float64"):
        regional_mean(x.double(), rows, columns, implementation='triton')
